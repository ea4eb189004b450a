// A law under check: its parameters' start grid and points to evaluate it at.
#ifndef QATLAS_SDK_CONFORMANCE_LAW_SUBJECT_H_
#define QATLAS_SDK_CONFORMANCE_LAW_SUBJECT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "qatlas/conformance/check.h"
#include "qatlas/law.h"
#include "qatlas/options.h"

namespace qatlas::conformance {

using Theta = std::vector<double>;
using Point = std::vector<double>;  // covariates, in the order of the spec

// Calls `body` for the law of each variant of the options: the defaults, and every truth value and
// choice that differs from them. Fails the check where the defaults make none.
void ForEachLaw(const Subject& subject, Probe& probe,
                const std::function<void(const LawForm&)>& body);

// Values that a covariate takes in practice (sizes, tokens, bits, ...) within its declared range,
// ascending; with `missing` last where it has one.
std::vector<double> UsualValues(const LawCovariate& covariate);

// Combinations of usual values, at most `most`, drawn by the seed where there are more. A covariate
// whose `only_with` is missing has its minimum, as the host gives it.
std::vector<Point> UsualPoints(const LawSpec& spec, size_t most, uint64_t seed);

// Number of cells of the start grid, and one of them; moved inside finite bounds by `margin` of the
// value (or of 1), so that differences can be taken on both sides.
int64_t GridSize(const LawSpec& spec);
Theta GridCell(const LawSpec& spec, int64_t index, double margin = 0);
// Values in the middle of each parameter's starts.
Theta MiddleStart(const LawSpec& spec);

LawPoints MakePoints(const std::vector<Point>& points);
std::vector<double> Values(const LawForm& law, const LawPoints& points, const Theta& theta);

// "theta: E = 1.69, ...; N = 1e9, D = 2e10" with 17 digits: what a failure is repeated with.
std::string Text(const LawSpec& spec, const Theta& theta);
std::string Text(const LawSpec& spec, const Theta& theta, const Point& point);

}  // namespace qatlas::conformance

#endif  // QATLAS_SDK_CONFORMANCE_LAW_SUBJECT_H_
