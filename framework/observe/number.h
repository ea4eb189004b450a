// Numbers as text, exactly: the shortest digits that read back as the same double.
#ifndef QATLAS_FRAMEWORK_OBSERVE_NUMBER_H_
#define QATLAS_FRAMEWORK_OBSERVE_NUMBER_H_

#include <limits>
#include <optional>
#include <string>

#include <absl/strings/string_view.h>

namespace qatlas::observe {

// A number that is not known. Never 0 and never a default.
inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// A NaN that stood in the file: a run that diverged, not one that was not measured. It is NaN in
// all that is computed and survives copies and arithmetic.
double WrittenNan();
bool IsWrittenNan(double value);

// The shortest decimal text that reads back as `value`, whole numbers below 1e15 without an
// exponent; "" for NaN, "inf" and "-inf".
std::string FormatNumber(double value);

// Six significant digits, for messages.
std::string ShowNumber(double value);

// Reads a decimal number; blanks around it are passed over. Empty text, "NA" and "null" (any case)
// give kMissing, "nan" WrittenNan(). nullopt when the text is anything else.
std::optional<double> ParseNumber(absl::string_view text);

}  // namespace qatlas::observe

#endif  // QATLAS_FRAMEWORK_OBSERVE_NUMBER_H_
