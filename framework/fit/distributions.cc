// The only unit that pays for compiling Boost.Math.
#include "framework/fit/distributions.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace qatlas::fit {
namespace {

// In double throughout: a dozen digits are more than any use of these needs.
using Policy = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
using Normal = boost::math::normal_distribution<double, Policy>;
using Student = boost::math::students_t_distribution<double, Policy>;
using ChiSquared = boost::math::chi_squared_distribution<double, Policy>;
using Fisher = boost::math::fisher_f_distribution<double, Policy>;
using Beta = boost::math::beta_distribution<double, Policy>;

template <typename Distribution>
double Tail(const Distribution& distribution, double x) {
  return boost::math::cdf(boost::math::complement(distribution, x));
}

}  // namespace

double StudentQuantile(double p, double degrees) {
  return boost::math::quantile(Student(degrees), p);
}

double TwoSidedQuantile(double level, double degrees) {
  if (std::isfinite(degrees)) return StudentQuantile(.5 + level / 2, degrees);
  return boost::math::quantile(Normal(), .5 + level / 2);
}

double StudentTwoSided(double t, double degrees) {
  if (!std::isfinite(t)) return 0;
  return 2 * Tail(Student(degrees), std::abs(t));
}

double ChiSquaredQuantile(double p, double degrees) {
  return boost::math::quantile(ChiSquared(degrees), p);
}

double ChiSquaredTail(double x, double degrees) { return Tail(ChiSquared(degrees), x); }

double FisherTail(double f, double above, double below) { return Tail(Fisher(above, below), f); }

double BetaQuantile(double p, double alpha, double beta) {
  return boost::math::quantile(Beta(alpha, beta), p);
}

}  // namespace qatlas::fit
