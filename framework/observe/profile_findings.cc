// Which fits a table allows, in sentences.
#include <algorithm>
#include <cmath>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include "framework/observe/profile.h"

namespace qatlas::observe {
namespace {

using Verdict = Collinearity::Verdict;

constexpr size_t kChinchillaParameters = 5;

std::string Capital(std::string text) {
  if (!text.empty()) text[0] = absl::ascii_toupper(text[0]);
  return text;
}

std::string Count(size_t count, const char* one, const char* many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

const Collinearity* Find(const Profile& profile, const std::string& who) {
  for (const auto& [name, collinearity] : profile.collinearity) {
    if (name == who) return &collinearity;
  }
  return nullptr;
}

// The loss as a law of N and D.
void OfLoss(const Table& table, const Profile& profile, const std::vector<size_t>& rows,
            const std::string& who, std::vector<Finding>* findings) {
  const std::vector<double>* losses = table.FindNumbers("loss");
  if (losses == nullptr || rows.empty()) return;
  size_t known = 0, bad = 0;
  for (size_t row : rows) {
    if (std::isnan((*losses)[row])) continue;
    ++known;
    if (!((*losses)[row] > 0) || std::isinf((*losses)[row])) ++bad;
  }
  if (bad > 0) {
    findings->push_back({Finding::Kind::kCannot,
                         absl::StrCat(Count(bad, "row has a loss", "rows have losses"),
                                      " of 0 or less, or infinite: no law of the loss allows that; "
                                      "leave them out with `where`.")});
  }
  const Collinearity* shape = Find(profile, who);
  if (shape == nullptr) {
    findings->push_back({Finding::Kind::kCannot,
                         absl::StrCat("A law of the loss: ", who, " do not tell N and D.")});
    return;
  }
  if (known <= kChinchillaParameters) {
    findings->push_back(
        {Finding::Kind::kCannot,
         absl::StrCat("A five-parameter law of the loss (chinchilla): ", who, " with a loss are ",
                      known, "; more than 5 are needed, and at least 3 levels of N and of D.")});
  }
  if (shape->verdict == Verdict::kInseparable || shape->verdict == Verdict::kConstant) {
    findings->push_back({Finding::Kind::kCannot, Capital(shape->sentence) + "."});
  } else if (shape->verdict == Verdict::kWeak) {
    findings->push_back({Finding::Kind::kLimited, Capital(shape->sentence) + "."});
  } else if (shape->levels_n < 3 || shape->levels_d < 3) {
    findings->push_back(
        {Finding::Kind::kLimited,
         absl::StrCat(Capital(who), " have ", Count(shape->levels_n, "level", "levels"),
                      " of N and ", shape->levels_d,
                      " of D: with fewer than three a floor and an exponent trade off freely.")});
  } else if (known > kChinchillaParameters) {
    findings->push_back(
        {Finding::Kind::kCan, absl::StrCat("A law of the loss in N and D: ", known, " of ", who,
                                           "; they vary both apart.")});
  }
}

void OfDelta(const Table& table, const Profile& profile, std::vector<Finding>* findings) {
  if (profile.quantized == 0) return;
  if (profile.pairs == 0) {
    findings->push_back(
        {Finding::Kind::kCannot,
         profile.paired
             ? "A law of δ: no quantized row has a full-precision pair."
             : "A law of δ: there is no column delta, and rows were not paired (pairing needs loss "
               "and scheme or part, or a condition for full precision)."});
    return;
  }
  std::vector<size_t> rows;
  const std::vector<double>& delta = *table.FindNumbers("delta");
  for (size_t row = 0; row < table.rows(); ++row) {
    if (std::isfinite(delta[row])) rows.push_back(row);
  }
  std::string varying;
  for (const char* name : {"N", "D", "G", "weight_bits", "input_bits", "qat_fraction"}) {
    if (!table.Has(name)) continue;
    const std::vector<double> levels = Levels(table, name, rows);
    if (levels.empty()) continue;
    if (levels.size() == 1) {
      findings->push_back({Finding::Kind::kCannot,
                           absl::StrCat("How δ depends on ", name, ": it is ",
                                        ShowNumber(levels[0]), " in all rows that have a δ.")});
    } else if (levels.size() == 2) {
      findings->push_back({Finding::Kind::kLimited,
                           absl::StrCat("An exponent of ", name, " in δ rests on two levels, ",
                                        ShowNumber(levels[0]), " and ", ShowNumber(levels[1]),
                                        ": no form can be told from another along "
                                        "it.")});
    } else {
      absl::StrAppend(&varying, varying.empty() ? "" : ", ", name);
    }
  }
  const Collinearity shape = MeasureCollinearity(table, rows, "the rows that have a δ");
  const bool apart = shape.verdict == Verdict::kSeparable;
  if (shape.verdict == Verdict::kInseparable) {
    findings->push_back({Finding::Kind::kCannot, Capital(shape.sentence) + "."});
  } else if (shape.verdict == Verdict::kWeak) {
    findings->push_back({Finding::Kind::kLimited, Capital(shape.sentence) + "."});
  }
  if (!varying.empty()) {
    findings->push_back(
        {Finding::Kind::kCan, absl::StrCat("A law of δ in ", varying, ": ",
                                           Count(rows.size(), "row", "rows"), " with a δ",
                                           apart || shape.verdict == Verdict::kNone
                                               ? "."
                                               : " (but see what is said of N and D).")});
  }
  if (profile.not_positive > 0) {
    findings->push_back(
        {Finding::Kind::kLimited,
         absl::StrCat(Count(profile.not_positive, "δ is", "δs are"),
                      " 0 or less: under a logarithmic loss choose `non_positive` (linear: all "
                      "rows without the logarithm; drop: without these, which biases δ upwards; "
                      "refuse).")});
  }
}

void OfNoise(const Profile& profile, std::vector<Finding>* findings) {
  if (!profile.replicates) return;
  const Replicates& replicates = *profile.replicates;
  const std::string value = profile.replicates_of == "delta" ? "δ" : "loss";
  if (!replicates.noise.known()) {
    findings->push_back(
        {Finding::Kind::kCannot, absl::StrCat("The noise of one run without assuming a law: ",
                                              replicates.noise.reason, ".")});
  } else {
    findings->push_back(
        {Finding::Kind::kCan,
         absl::StrCat(
             "The noise of one run without assuming a law: standard deviation of the ", value, " ",
             ShowNumber(std::sqrt(replicates.noise.variance)), ", from ",
             Count(replicates.replicated, "cell", "cells"), " with replicates (",
             Count(static_cast<size_t>(replicates.noise.degrees_of_freedom), "degree", "degrees"),
             " of freedom).")});
  }
}

}  // namespace

std::vector<Finding> Findings(const Table& table, const Profile& profile,
                              const std::vector<size_t>& full_precision,
                              const std::vector<size_t>& quantized,
                              const std::vector<size_t>& other) {
  std::vector<Finding> findings;
  OfLoss(table, profile, full_precision, "the full-precision rows", &findings);
  OfLoss(table, profile, other, "the rows", &findings);
  if (full_precision.empty() && !quantized.empty()) {
    findings.push_back({Finding::Kind::kCannot,
                        "A law of the full-precision loss, or pairs: no row is full precision."});
  }
  OfDelta(table, profile, &findings);
  OfNoise(profile, &findings);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.kind < b.kind; });
  return findings;
}

}  // namespace qatlas::observe
