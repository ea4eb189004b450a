// Labels of observations, worked out of a scheme's rules.
#ifndef QATLAS_FRAMEWORK_RECIPE_LABELS_H_
#define QATLAS_FRAMEWORK_RECIPE_LABELS_H_

#include "framework/plugin/catalog.h"
#include "framework/recipe/recipe.h"

namespace qatlas::recipe {

// Sets weight_bits, input_bits, fc2_input_bits, group, input_group, quantizer and granularity of a
// variant from its rules. Bits are those of the option `bits`, else of an ability "bits:<number>"
// that the quantizer declares; so are `group` and `granularity`. With the option `granularity`
// other than "group", the group is 0; of inputs, "channel" is labelled "token". The label of an
// operand is that of the rule which covers most roles: the one in force at a role and block that no
// rule names, else at the first role that a rule names and that is quantized.
void SetLabels(const plugin::Catalog& catalog, SchemeVariant* variant);

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_LABELS_H_
