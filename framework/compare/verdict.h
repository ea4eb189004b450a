// From a ranking to a sentence.
#ifndef QATLAS_FRAMEWORK_COMPARE_VERDICT_H_
#define QATLAS_FRAMEWORK_COMPARE_VERDICT_H_

#include "framework/compare/compare.h"

namespace qatlas::compare {

// Fills verdict, sentence and rule from a ranking whose criteria and tests are filled.
//
// The rule: the form with the lowest AICc is called best if, against every other form,
//   (a) its AICc is lower by at least 6;
//   (b) the difference in log likelihood, less the difference in the number of parameters, is at
//   least
//       twice its standard error (Vuong 1989, from the differences run by run);
//   (c) its error on held-out runs is not the larger one;
// and it is itself identifiable. Fewer than three runs to spare beyond a form's parameters is too
// few.
void Judge(Comparison* comparison);

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_VERDICT_H_
