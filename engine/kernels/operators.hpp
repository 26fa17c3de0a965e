// Tiller's operators. Their signatures stand at the head of each one's file.
#pragma once

#include "runtime.hpp"

namespace tiller {

const OperatorRecord *attention_record();
const OperatorRecord *half_attention_record();
const OperatorRecord *edit_record();
const OperatorRecord *residual_norm_record();
const OperatorRecord *quantise_record();
const OperatorRecord *gated_record();
const OperatorRecord *product_record();
const OperatorRecord *integer_product_record();
const OperatorRecord *top_logits_record();
const OperatorRecord *encode_record();

bool fast_integer_products();

}  // namespace tiller
