// What the runtime calls when a session is given this library: puts Tiller's operators under the domain `tiller`.
#include "operators.hpp"

extern "C" __attribute__((visibility("default"))) void *RegisterCustomOps(void *options, const tiller::ApiBase *base) {
  using namespace tiller;
  const void *const *table = base->get_api(api_version);
  if (!table) return nullptr;
  const Api api(table);
  // One for the process: sessions come and go, their operators stay.
  static void *const domain = [&] {
    void *made = nullptr;
    api.forget(api.at<void *(*)(const char *, void **)>(26)("tiller", &made));
    const OperatorRecord *records[] = {attention_record(),     half_attention_record(), edit_record(),
                                       residual_norm_record(), quantise_record(),       gated_record(),
                                       product_record(),       integer_product_record(), top_logits_record(),
                                       encode_record()};
    for (const OperatorRecord *record : records) {
      api.forget(api.at<void *(*)(void *, const OperatorRecord *)>(27)(made, record));
    }
    return made;
  }();
  return api.at<void *(*)(void *, void *)>(28)(options, domain);
}

/** 1 where IntegerProduct is fast on this processor, 0 where ONNX Runtime's 8-bit products are the better ones. */
extern "C" __attribute__((visibility("default"))) int TillerFastIntegerProducts() { return tiller::fast_integer_products() ? 1 : 0; }
