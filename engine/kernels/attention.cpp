// Attention, HalfAttention (q, k?, v?, key_cache, value_cache, last_positions, cosine?, sine?, row_scale?, slots?) → z
//
//   q               [.., heads·D], or queries, keys and values side by side [.., (heads + 2·kv_heads)·D] where k and v are left out
//   key_cache       [N, kv_heads, capacity, D], float32 or (HalfAttention) float16; this step's keys and values are written into both, in place
//   last_positions  [B] int32: the position of each row's last token
//   cosine, sine    [positions, R/2]: rotary tables for the first R of the D dimensions, halves apart (Su et al. 2021)
//   row_scale       [B·S]: factor of each token's q, k and v
//   slots           [B] int32: the cache's row of each row; without it they are the same. Rows of one token may share a slot where they
//                   follow each other in it: a stretch of a prompt, beside rows that decode
//   z               [B, S, heads·D]
//
//   attributes: heads, kv_heads, scale (of scores), softcap (0: none; s ← c·tanh(s/c)), window (0: none; else keys looked back on,
//   the token's own among them)
//
// Keys are taken in stretches of `stretch`, each summed by itself with a running maximum (Milakov & Gimelshein 2018; Dao et al. 2022),
// and stretches are then joined in order. Where they begin depends on positions alone: whatever shares the batch, and however many
// threads there are, a token's sums are made in the same order.
#include <algorithm>
#include <vector>

#include "attention-step.hpp"

namespace tiller {
namespace {

template <typename Number>
class Attention {
 public:
  static constexpr bool is_half = sizeof(Number) == 2;
  static constexpr const char *name = is_half ? "HalfAttention" : "Attention";
  static constexpr ElementType cached = is_half ? element_float16 : element_float;
  static constexpr Slot inputs[] = {{element_float},           {element_float, optional}, {element_float, optional},
                                    {cached},                  {cached},                  {element_int32},
                                    {element_float, optional}, {element_float, optional}, {element_float, optional},
                                    {element_int32, optional}};
  static constexpr Slot outputs[] = {{element_float}};

  explicit Attention(const Attributes &attributes)
      : heads_(attributes.integer("heads", 1)),
        key_heads_(attributes.integer("kv_heads", 1)),
        window_(attributes.integer("window", 0)),
        scale_(attributes.number("scale", 1)),
        softcap_(attributes.number("softcap", 0)) {}

  void *compute(const Context &context) const {
    const Tensor cache = context.input(3);
    Shape shape{};
    shape.rows = context.input(5).count();
    shape.slots = cache.shape[0];
    shape.capacity = cache.shape[2];
    shape.width = cache.shape[3];
    shape.heads = heads_;
    shape.key_heads = key_heads_;
    shape.group = heads_ / key_heads_;
    shape.window = window_;
    shape.scale = scale_;
    shape.softcap = softcap_;
    const Tensor q = context.input(0);
    shape.tokens = q.count() / q.shape.back() / shape.rows;
    if (shape.width % lanes != 0) return context.failure("the width of a head is not a multiple of 16");
    const Step<Number> step(shape, context);
    const std::vector<Run> runs = step.runs();
    for (const Run &run : runs) {
      if (run.slot < 0 || run.slot >= shape.slots || run.first_position < 0 || run.last_position() >= shape.capacity) {
        return context.failure("a row's positions are outside its cache");
      }
    }
    float *const z = static_cast<float *>(context.output(0, {shape.rows, shape.tokens, heads_ * shape.width}));
    if (void *failed = append(step, runs, shape, context)) return failed;
    return attend(step, runs, shape, context, z);
  }

 private:
  static void *append(const Step<Number> &step, const std::vector<Run> &runs, const Shape &shape, const Context &context) {
    constexpr int64_t worth_sharing = 1 << 15;
    if (shape.rows * shape.tokens * shape.key_heads * shape.width < worth_sharing) {
      for (const Run &run : runs) append_run(step, run, shape);
      return nullptr;
    }
    std::vector<Run> tokens;
    for (const Run &run : runs) {
      for (int64_t t = 0; t < run.tokens; t++) tokens.push_back({run.first + t, 1, run.slot, run.first_position + t});
    }
    return share_out(context, tokens.size(), [&](size_t at) { append_run(step, tokens[at], shape); });
  }

  static void append_run(const Step<Number> &step, const Run &run, const Shape &shape) {
    for (int64_t token = 0; token < run.tokens; token++) {
      for (int64_t head = 0; head < shape.key_heads; head++) step.append(run, token, head);
    }
  }

  static void *attend(const Step<Number> &step, const std::vector<Run> &runs, const Shape &shape, const Context &context, float *z) {
    // Few tokens a piece where there are few pieces: every thread should get some.
    int64_t stretches = 0, longest = 0;
    for (const Run &run : runs) {
      stretches += run.last_position() / stretch + 1;
      longest = std::max(longest, run.tokens);
    }
    const int64_t blocks_wanted = std::max<int64_t>(1, 12 / (stretches * shape.key_heads));
    const int64_t some = std::clamp<int64_t>((longest + blocks_wanted - 1) / blocks_wanted, 1, most_tokens);
    std::vector<Piece> pieces;
    std::vector<int64_t> firsts;
    for (const Run &run : runs) {
      for (int64_t head = 0; head < shape.key_heads; head++) {
        for (int64_t token = 0; token < run.tokens; token += some) {
          const int64_t tokens = std::min(some, run.tokens - token), position = run.first_position + token;
          const int64_t last = position + tokens - 1;
          const int64_t oldest = position + 1 - shape.window;
          const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, oldest) / stretch * stretch : 0;
          firsts.push_back(static_cast<int64_t>(pieces.size()));
          for (int64_t key = begin; key <= last; key += stretch) {
            pieces.push_back({run.first + token, position, run.slot, head, tokens, key, std::min(last, key + stretch - 1)});
          }
        }
      }
    }
    firsts.push_back(static_cast<int64_t>(pieces.size()));
    const int64_t queries = some * shape.group;
    static thread_local std::vector<float> sums;
    static thread_local std::vector<Running> runnings;
    sums.resize(pieces.size() * queries * shape.width);
    runnings.resize(pieces.size() * queries);
    // the threads that share the work have vectors of their own under these names
    float *const all_sums = sums.data();
    Running *const all_runnings = runnings.data();
    const auto attend_one = [&](size_t at) {
      step.attend(pieces[at], all_sums + at * queries * shape.width, all_runnings + at * queries);
    };
    const auto join_one = [&](size_t at) {
      join(shape, pieces[firsts[at]], firsts[at + 1] - firsts[at], queries, all_sums + firsts[at] * queries * shape.width,
           all_runnings + firsts[at] * queries, z);
    };
    if (void *failed = share_out(context, pieces.size(), attend_one)) return failed;
    if (longest > 1 && pieces.size() >= firsts.size()) return share_out(context, firsts.size() - 1, join_one);
    for (size_t at = 0; at + 1 < firsts.size(); at++) join_one(at);
    return nullptr;
  }

  /** z of a piece's queries, from what its stretches gave. */
  static void join(const Shape &shape, const Piece &piece, int64_t stretches, int64_t queries, const float *sums,
                   const Running *runnings, float *z) {
    const int64_t width = shape.width;
    for (int64_t query = 0; query < piece.tokens * shape.group; query++) {
      float most = nothing;
      for (int64_t s = 0; s < stretches; s++) most = std::max(most, runnings[s * queries + query].largest);
      const int64_t token = piece.first + query / shape.group;
      float *const out = z + (token * shape.heads + piece.key_head * shape.group + query % shape.group) * width;
      std::fill(out, out + width, 0.0f);
      float total = 0;
      for (int64_t s = 0; s < stretches; s++) {
        const Running &running = runnings[s * queries + query];
        const float factor = running.largest == most ? 1 : (running.largest == nothing ? 0 : exponential(all(running.largest - most))[0]);
        total += running.total * factor;
        const float *from = sums + (s * queries + query) * width;
        for (int64_t d = 0; d < width; d++) out[d] += from[d] * factor;
      }
      const float share = 1 / total;
      for (int64_t d = 0; d < width; d++) out[d] *= share;
    }
  }

  int64_t heads_, key_heads_, window_;
  float scale_, softcap_;
};

}  // namespace

const OperatorRecord *attention_record() { return operator_record<Attention<float>>(); }
const OperatorRecord *half_attention_record() { return operator_record<Attention<uint16_t>>(); }

}  // namespace tiller
