#include "framework/observe/number.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

namespace qatlas::observe {
namespace {

// A quiet NaN whose payload no arithmetic makes ("nan" in ASCII).
constexpr uint64_t kWrittenNan = 0x7ff8'0000'006e'616e;

}  // namespace

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  // A count reads better as 1000000 than as 1e+06.
  const bool count = value == std::floor(value) && std::abs(value) < 1e15;
  const std::to_chars_result end =
      count ? std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed)
            : std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

std::string ShowNumber(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.6g", value);
  return buffer;
}

double WrittenNan() { return std::bit_cast<double>(kWrittenNan); }

bool IsWrittenNan(double value) {
  // The sign is no part of it: a difference may turn it round.
  return (std::bit_cast<uint64_t>(value) & ~(uint64_t{1} << 63)) == kWrittenNan;
}

std::optional<double> ParseNumber(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty() || absl::EqualsIgnoreCase(text, "na") || absl::EqualsIgnoreCase(text, "null")) {
    return kMissing;
  }
  if (absl::EqualsIgnoreCase(text, "nan")) return WrittenNan();
  const char* begin = text.data();
  const char* end = begin + text.size();
  // from_chars knows no plus sign, and would take "nan(...)" for a number.
  if (*begin == '+' && text.size() > 1 && begin[1] != '-') ++begin;
  double value = 0;
  const std::from_chars_result result = std::from_chars(begin, end, value);
  if (result.ptr != end || std::isnan(value)) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) {
    // The value is left unset: decide between underflow and overflow by the sign of its logarithm.
    const absl::string_view digits = text;
    const size_t e = digits.find_first_of("eE");
    const bool small = e != absl::string_view::npos
                           ? digits.find('-', e) != absl::string_view::npos
                           : absl::StartsWith(digits, "0.") || absl::StartsWith(digits, "-0.") ||
                                 absl::StartsWith(digits, ".");
    if (!small) return std::nullopt;  // Beyond a double: better an error than infinity.
    return *text.data() == '-' ? -0.0 : 0.0;
  }
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace qatlas::observe
