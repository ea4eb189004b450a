// Quantiles and tails of the usual distributions.
#ifndef QATLAS_FRAMEWORK_FIT_DISTRIBUTIONS_H_
#define QATLAS_FRAMEWORK_FIT_DISTRIBUTIONS_H_

namespace qatlas::fit {

// Probabilities p are in (0, 1); degrees of freedom and shapes are positive.

// t with P(T <= t) = p, of Student's t.
double StudentQuantile(double p, double degrees);
// t with P(|T| <= t) = level; of the normal distribution where degrees is infinite.
double TwoSidedQuantile(double level, double degrees);
// P(|T| > |t|).
double StudentTwoSided(double t, double degrees);

double ChiSquaredQuantile(double p, double degrees);  // x with P(X <= x) = p
double ChiSquaredTail(double x, double degrees);      // P(X > x), x >= 0
// P(F > f), f >= 0, with so many degrees of freedom above and below.
double FisherTail(double f, double above, double below);
double BetaQuantile(double p, double alpha, double beta);  // x with P(X <= x) = p

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_DISTRIBUTIONS_H_
