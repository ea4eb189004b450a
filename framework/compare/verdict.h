// From a ranking to a sentence.
#ifndef QATLAS_FRAMEWORK_COMPARE_VERDICT_H_
#define QATLAS_FRAMEWORK_COMPARE_VERDICT_H_

#include "framework/compare/compare.h"

namespace qatlas::compare {

struct VerdictRule {
  double criterion_gap = 6;    // (a)
  double standard_errors = 2;  // (b)
  double ratio_level = .01;    // (b), against a special case
  double full_level = .05;     // (b), against a form that contains it
};

// Fills verdict, sentence, rule and contenders from a comparison whose everything else is filled.
//
// The rule: the form with the lowest AICc is called best if, against every other form,
//   (a) its AICc is lower by at least 6 (criterion_gap, as all below with VerdictRule's values);
//   (b) the difference in log likelihood, less the difference in the number of parameters, is at
//       least twice its standard error (Vuong 1989, from the differences run by run); against a
//       form that is a special case of it, the likelihood ratio has p < .01 in its place, and
//       against a form that contains it p > .05 (with one parameter more the gap never reaches 6:
//       such a form cannot be ruled out, only not called for);
//   (c) its error on held-out runs is not the larger one;
// if it stays first under every loss that the residuals allow, without any one run and with N
// counted otherwise, as far as these were examined; and if it is itself identifiable. Fewer than
// three runs to spare beyond a form's parameters are too few. Forms that extrapolate better (p <
// .01) are named in the sentence, whatever the verdict.
//
// Where the first form leaves no residuals beyond rounding (Likelihood::exact) there is no noise,
// and all that is asked is which other forms leave none either: they are contenders where their
// parameters add less than 6 to the AICc.
void Judge(Comparison* comparison, const VerdictRule& rule = {});

}  // namespace qatlas::compare

#endif  // QATLAS_FRAMEWORK_COMPARE_VERDICT_H_
