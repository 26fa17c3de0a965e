// The part of ONNX Runtime's C API that operators need: its function table by index, and the record that describes an operator.
//
// The runtime's npm package ships the library without its header. Both layouts below only ever grow at their end
// (onnxruntime_c_api.h: struct OrtApi, struct OrtCustomOp), so they hold for every later version.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "niceness.hpp"

namespace tiller {

/** Oldest API version whose table holds everything below. */
constexpr uint32_t api_version = 20;

struct ApiBase {
  const void *const *(*get_api)(uint32_t version);
  const char *(*get_version)();
};

/** onnx.proto, TensorProto.DataType. */
enum ElementType : int { element_float = 1, element_uint8 = 2, element_int32 = 6, element_int64 = 7, element_bool = 9, element_float16 = 10 };
enum Characteristic : int { required = 0, optional = 1 };

/** OrtCustomOp. Fields that no operator here needs stay null: the runtime takes the default then. */
struct OperatorRecord {
  uint32_t version;
  void *(*create_kernel)(const OperatorRecord *, const void *const *api, const void *info);
  const char *(*get_name)(const OperatorRecord *);
  const char *(*get_execution_provider)(const OperatorRecord *);
  int (*get_input_type)(const OperatorRecord *, size_t);
  size_t (*get_input_count)(const OperatorRecord *);
  int (*get_output_type)(const OperatorRecord *, size_t);
  size_t (*get_output_count)(const OperatorRecord *);
  void (*compute)(void *kernel, void *context);
  void (*destroy)(void *kernel);
  int (*get_input_characteristic)(const OperatorRecord *, size_t);
  int (*get_output_characteristic)(const OperatorRecord *, size_t);
  int (*get_input_memory_type)(const OperatorRecord *, size_t);
  int (*get_variadic_input_minimum)(const OperatorRecord *);
  int (*get_variadic_input_homogeneity)(const OperatorRecord *);
  int (*get_variadic_output_minimum)(const OperatorRecord *);
  int (*get_variadic_output_homogeneity)(const OperatorRecord *);
  void *create_kernel_v2;
  void *(*compute_v2)(void *kernel, void *context);
  void *infer_output_shape;
  int (*get_start_version)(const OperatorRecord *);
  int (*get_end_version)(const OperatorRecord *);
  void *get_may_inplace;
  void *release_may_inplace;
  void *get_alias_map;
  void *release_alias_map;
};

/** A tensor of an operator's signature. */
struct Slot {
  ElementType type;
  Characteristic presence = required;
};

/** The function table. */
class Api {
 public:
  explicit Api(const void *const *table) : table_(table) {}

  template <typename Function>
  Function at(size_t index) const {
    return reinterpret_cast<Function>(const_cast<void *>(table_[index]));
  }

  void *failure(const char *message) const {
    constexpr int invalid_argument = 2;
    return at<void *(*)(int, const char *)>(0)(invalid_argument, message);
  }

  void forget(void *status) const {
    if (status) at<void (*)(void *)>(93)(status);
  }

 private:
  const void *const *table_;
};

/** Attributes of a node. */
class Attributes {
 public:
  Attributes(Api api, const void *info) : api_(api), info_(info) {}

  int64_t integer(const char *name, int64_t otherwise) const {
    int64_t value = otherwise;
    api_.forget(api_.at<void *(*)(const void *, const char *, int64_t *)>(86)(info_, name, &value));
    return value;
  }

  float number(const char *name, float otherwise) const {
    float value = otherwise;
    api_.forget(api_.at<void *(*)(const void *, const char *, float *)>(85)(info_, name, &value));
    return value;
  }

 private:
  Api api_;
  const void *info_;
};

/** An input or output of a running node; `data` is null for one that is left out. */
struct Tensor {
  void *data = nullptr;
  std::vector<int64_t> shape;

  const float *floats() const { return static_cast<const float *>(data); }
  explicit operator bool() const { return data != nullptr; }
  int64_t count() const {
    int64_t product = 1;
    for (int64_t size : shape) product *= size;
    return product;
  }
};

/** A running node. */
class Context {
 public:
  Context(Api api, void *context) : api_(api), context_(context) {}

  Tensor input(size_t index) const {
    Tensor tensor;
    const void *value = nullptr;
    api_.forget(api_.at<void *(*)(const void *, size_t, const void **)>(90)(context_, index, &value));
    if (!value) return tensor;
    void *info = nullptr;
    size_t rank = 0;
    api_.forget(api_.at<void *(*)(const void *, void **)>(65)(value, &info));
    api_.forget(api_.at<void *(*)(const void *, size_t *)>(61)(info, &rank));
    tensor.shape.resize(rank);
    api_.forget(api_.at<void *(*)(const void *, int64_t *, size_t)>(62)(info, tensor.shape.data(), rank));
    api_.at<void (*)(void *)>(99)(info);
    tensor.data = data(const_cast<void *>(value));
    return tensor;
  }

  /** Null when the graph does not use this output. */
  void *output(size_t index, const std::vector<int64_t> &shape) const {
    size_t outputs = 0;
    api_.forget(api_.at<void *(*)(const void *, size_t *)>(89)(context_, &outputs));
    if (index >= outputs) return nullptr;
    void *value = nullptr;
    api_.forget(api_.at<void *(*)(void *, size_t, const int64_t *, size_t, void **)>(91)(context_, index, shape.data(),
                                                                                        shape.size(), &value));
    return value ? data(value) : nullptr;
  }

  size_t inputs() const {
    size_t count = 0;
    api_.forget(api_.at<void *(*)(const void *, size_t *)>(88)(context_, &count));
    return count;
  }

  /** Calls `work(i)` for every i below `total`, on the runtime's threads. */
  void *each(size_t total, void (*work)(void *, size_t), void *data) const {
    return api_.at<void *(*)(const void *, void (*)(void *, size_t), size_t, size_t, void *)>(274)(context_, work, total, 0,
                                                                                                  data);
  }

  void *failure(const char *message) const { return api_.failure(message); }

 private:
  void *data(void *value) const {
    void *pointer = nullptr;
    api_.forget(api_.at<void *(*)(void *, void **)>(51)(value, &pointer));
    return pointer;
  }

  Api api_;
  void *context_;
};

template <typename Kernel>
struct Bound {
  Api api;
  Kernel kernel;
};

/**
 * Hands out the numbers below `total` to whoever asks next: pieces of unequal length keep all threads busy to the end, which equal
 * shares would not.
 */
template <typename Work>
void *share_out(const Context &context, size_t total, const Work &work) {
  if (total == 1) {
    work(size_t{0});
    return nullptr;
  }
  struct Job {
    std::atomic<size_t> next;
    size_t total;
    const Work *work;
  } job{{0}, total, &work};
  constexpr size_t most_threads = 64;
  const auto take = [](void *data, size_t) {
    give_way_once();
    Job &mine = *static_cast<Job *>(data);
    for (size_t at = mine.next++; at < mine.total; at = mine.next++) (*mine.work)(at);
  };
  return context.each(total < most_threads ? total : most_threads, take, &job);
}

/** Describes an operator class to the runtime; `Kernel` names itself and its tensors, and has `compute`. */
template <typename Kernel>
const OperatorRecord *operator_record() {
  static const OperatorRecord record = [] {
    OperatorRecord made{};
    made.version = api_version;
    made.create_kernel = [](const OperatorRecord *, const void *const *api, const void *info) -> void * {
      return new Bound<Kernel>{Api(api), Kernel(Attributes(Api(api), info))};
    };
    made.get_name = [](const OperatorRecord *) { return Kernel::name; };
    made.get_execution_provider = [](const OperatorRecord *) -> const char * { return nullptr; };
    made.get_input_type = [](const OperatorRecord *, size_t at) -> int { return Kernel::inputs[at].type; };
    made.get_input_count = [](const OperatorRecord *) { return std::size(Kernel::inputs); };
    made.get_output_type = [](const OperatorRecord *, size_t at) -> int { return Kernel::outputs[at].type; };
    made.get_output_count = [](const OperatorRecord *) { return std::size(Kernel::outputs); };
    made.destroy = [](void *kernel) { delete static_cast<Bound<Kernel> *>(kernel); };
    made.get_input_characteristic = [](const OperatorRecord *, size_t at) -> int { return Kernel::inputs[at].presence; };
    made.get_output_characteristic = [](const OperatorRecord *, size_t at) -> int { return Kernel::outputs[at].presence; };
    // asked for without looking whether they are there
    made.get_input_memory_type = [](const OperatorRecord *, size_t) { return 0; };
    made.get_variadic_input_minimum = [](const OperatorRecord *) { return 1; };
    made.get_variadic_input_homogeneity = [](const OperatorRecord *) { return 1; };
    made.get_variadic_output_minimum = [](const OperatorRecord *) { return 1; };
    made.get_variadic_output_homogeneity = [](const OperatorRecord *) { return 1; };
    made.compute_v2 = [](void *kernel, void *context) -> void * {
      const auto &bound = *static_cast<Bound<Kernel> *>(kernel);
      return bound.kernel.compute(Context(bound.api, context));
    };
    made.get_start_version = [](const OperatorRecord *) { return 1; };
    made.get_end_version = [](const OperatorRecord *) { return 1; };
    return made;
  }();
  return &record;
}

}  // namespace tiller
