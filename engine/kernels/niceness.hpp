// Threads that compute give way to the one that talks to clients.
#pragma once

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tiller {

/**
 * Has the calling thread, one that computes, be 5 nicer than the process. The event loop shares its core with such a thread, needs a tenth
 * of it, and waits for a tick of the scheduler (4 ms) wherever it has had more than its share: at 5 nicer its share is three quarters. Who
 * else runs on the machine goes first as well. Linux alone has a niceness for each thread; the process's main thread never computes.
 */
inline void give_way_once() {
#ifdef __linux__
  constexpr int nicer_by = 5;
  static thread_local bool done = false;
  if (done) return;
  done = true;
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  const auto process = static_cast<id_t>(getpid());
  if (thread != process) setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, process) + nicer_by);
#endif
}

}  // namespace tiller
