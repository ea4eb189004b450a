#include "framework/report/findings.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "framework/observe/schema.h"
#include "framework/report/labels.h"
#include "framework/report/part_findings.h"

namespace qatlas::report {
namespace {

using decompose::TrendStep;
using decompose::Verdict;

// What others found when the covariate grows, and where.
struct Published {
  const char* covariate;
  const char* growing;
  bool rises;
  const char* source;
};
constexpr Published kPublished[] = {
    {"N", "model size N", false, "Chen et al. 2025 (arXiv 2505.14302)"},
    {"D", "training data D", true, "Chen et al. 2025 (arXiv 2505.14302)"},
    {"G", "group size G", true, "Chen et al. 2025 (arXiv 2505.14302)"},
    {"bits", "bits", false, "the law of Kumar et al. 2024 (arXiv 2411.04330)"},
};

std::string BitsOf(const TrendStep& step) {
  return BitsLabel(NumberOf(step.held, "weight_bits"), NumberOf(step.held, "input_bits"));
}

// "-.0100 ± .0010 (N 200k to 800k; D 1.6M, G 32, W4A4)"
std::string Describe(const TrendStep& step) {
  const std::string held = CellLabel(step.held);
  return absl::StrCat(WithError(step.change.value, step.change.known_se()), " (", step.covariate,
                      " ", ShortCount(step.from), " to ", ShortCount(step.to),
                      held.empty() ? "" : "; ", held, ")");
}

// Steps with this verdict, the clearest first.
std::vector<const TrendStep*> Clearest(const decompose::Trends& trends,
                                       const std::string& covariate, Verdict verdict) {
  std::vector<const TrendStep*> steps;
  for (const TrendStep& step : trends.steps) {
    if (step.covariate == covariate && step.part == observe::kPartBoth && step.verdict == verdict) {
      steps.push_back(&step);
    }
  }
  const auto clearness = [](const TrendStep* step) {
    return std::fabs(step->change.value) / std::max(step->change.known_se(), 1e-300);
  };
  std::stable_sort(steps.begin(), steps.end(), [&](const TrendStep* a, const TrendStep* b) {
    return clearness(a) > clearness(b);
  });
  return steps;
}

std::string BySign(const decompose::Trends& trends, const std::string& covariate) {
  int rises = 0;
  int falls = 0;
  for (const TrendStep& step : trends.steps) {
    if (step.covariate != covariate || step.part != observe::kPartBoth) continue;
    if (step.change.value > 0) ++rises;
    if (step.change.value < 0) ++falls;
  }
  return absl::StrCat("By sign alone it rises in ", rises, " and falls in ", falls,
                      "; without a known training error no step can be told from noise.");
}

// Whether so many clear steps one way, of so many, would come by chance in more than 5% of studies
// without any effect: each step then has 2.5% on each side.
bool ChanceGives(int clear, int steps) {
  constexpr double kOneSide = .025;
  double fewer = 0;
  double term = std::pow(1 - kOneSide, steps);  // exactly 0, then 1, 2, ... of the steps
  for (int k = 0; k < clear; ++k) {
    fewer += term;
    term *= kOneSide / (1 - kOneSide) * (steps - k) / (k + 1);
  }
  return 1 - fewer > .05;
}

std::string Trend(const decompose::Trends& trends, const Published& published) {
  const std::string covariate = published.covariate;
  const StepCount count = CountSteps(trends, covariate, observe::kPartBoth);
  if (count.total() == 0) return "";
  std::string text =
      absl::StrCat("With growing ", published.growing, ", δ ", StepPhrase(count), ".");
  const std::string expected =
      absl::StrCat("δ ", published.rises ? "rises" : "falls", " with ", covariate);
  const int agree = published.rises ? count.rises : count.falls;
  const int against = published.rises ? count.falls : count.rises;
  const Verdict way = published.rises ? Verdict::kRises : Verdict::kFalls;
  const Verdict other = published.rises ? Verdict::kFalls : Verdict::kRises;
  const auto clearest = [&](Verdict verdict) {
    return Describe(*Clearest(trends, covariate, verdict).front());
  };
  if (agree == 0 && against == 0) {
    absl::StrAppend(&text, " ",
                    count.error_unknown > 0
                        ? BySign(trends, covariate)
                        : absl::StrCat("These runs do not show whether ", expected,
                                       ", as published by ", published.source, "."));
  } else if ((agree == 0 || against == 0) && ChanceGives(agree + against, count.total())) {
    absl::StrAppend(&text, " The clearest: ", clearest(agree > 0 ? way : other),
                    ". That few of these steps are clear is what chance alone would give: these "
                    "runs do not show whether ",
                    expected, ", as published by ", published.source, ".");
  } else if (against == 0) {
    absl::StrAppend(&text, " The clearest: ", clearest(way), ". This agrees with ",
                    published.source, ", where ", expected, ".");
  } else if (agree == 0) {
    absl::StrAppend(&text, " The clearest: ", clearest(other),
                    ". This is the other way round from ", published.source, ", where ", expected,
                    ".");
  } else {
    absl::StrAppend(&text, " Clear steps go both ways: ", clearest(way), ", but ", clearest(other),
                    ". In ", published.source, ", ", expected, ".");
  }
  std::vector<std::string> parts;
  for (const char* part : {observe::kPartWeights, observe::kPartInputs}) {
    const std::string phrase = StepPhrase(CountSteps(trends, covariate, part));
    if (!phrase.empty()) parts.push_back(absl::StrCat("δ of ", part, " only ", phrase));
  }
  if (!parts.empty()) {
    std::string joined = absl::StrJoin(parts, "; ");
    absl::StrAppend(&text, " Apart: ", joined, ".");
  }
  return text;
}

// One sentence on what the errors of this report hold.
std::string Errors(const decompose::Parts& parts) {
  const observe::SeedVariance& variance = parts.seed_variance;
  const bool evaluated =
      std::any_of(parts.deltas.begin(), parts.deltas.end(), [](const decompose::PartDelta& delta) {
        return std::isfinite(delta.estimate.evaluation_se);
      });
  std::string text = "Behind ± stands one standard error, in nats per token. ";
  if (variance.known()) {
    absl::StrAppend(&text, "Its training part comes from seeds: one run's δ varies by ",
                    ShortNumber(std::sqrt(variance.variance), 2), " (pooled over ",
                    variance.cells_used, " cells, ", variance.degrees_of_freedom,
                    variance.degrees_of_freedom == 1 ? " degree" : " degrees", " of freedom).");
  } else {
    absl::StrAppend(&text, "Its training part is not known (", variance.reason,
                    "): how much a δ would change with another seed cannot be said.");
  }
  absl::StrAppend(&text, evaluated ? " Its evaluation part is paired over validation sequences."
                                   : " Its evaluation part is not known: the table has none.");
  absl::StrAppend(&text,
                  " A step is clear of noise when it exceeds two standard errors; of steps without "
                  "any effect about one in twenty would, and more where seeds are few.");
  return text;
}

// A name that all cells share tells none of them apart.
decompose::Decomposition WithoutOnlyQuantizer(const decompose::Decomposition& whole) {
  constexpr char kQuantizer[] = "quantizer";
  std::set<std::string> names;
  for (const decompose::Cell& cell : whole.cells) names.insert(TextOf(cell.key, kQuantizer));
  for (const TrendStep& step : whole.trends.steps) names.insert(TextOf(step.held, kQuantizer));
  decompose::Decomposition shown = whole;
  if (names.size() > 1) return shown;
  const auto drop = [&](Key* key) {
    key->erase(std::remove_if(key->begin(), key->end(),
                              [&](const auto& entry) { return entry.first == kQuantizer; }),
               key->end());
  };
  for (decompose::Cell& cell : shown.cells) drop(&cell.key);
  for (TrendStep& step : shown.trends.steps) drop(&step.held);
  return shown;
}

}  // namespace

StepCount CountSteps(const decompose::Trends& trends, const std::string& covariate,
                     const std::string& part, const std::string& bits) {
  StepCount count;
  for (const TrendStep& step : trends.steps) {
    if (step.covariate != covariate || step.part != part) continue;
    if (!bits.empty() && BitsOf(step) != bits) continue;
    switch (step.verdict) {
      case Verdict::kRises:
        ++count.rises;
        break;
      case Verdict::kFalls:
        ++count.falls;
        break;
      case Verdict::kNotClear:
        ++count.not_clear;
        break;
      case Verdict::kErrorUnknown:
        ++count.error_unknown;
        break;
    }
  }
  return count;
}

std::string StepPhrase(const StepCount& count) {
  if (count.total() == 0) return "";
  std::vector<std::string> words;
  if (count.rises > 0) words.push_back(absl::StrCat("rises in ", count.rises));
  if (count.falls > 0) words.push_back(absl::StrCat("falls in ", count.falls));
  if (count.not_clear > 0) {
    words.push_back(absl::StrCat("is not clear of noise in ", count.not_clear));
  }
  if (count.error_unknown > 0) {
    words.push_back(absl::StrCat("has no known error in ", count.error_unknown));
  }
  return absl::StrCat(absl::StrJoin(words, ", "), " of ", count.total(),
                      count.total() == 1 ? " step" : " steps");
}

Section FindingsSection(const decompose::Decomposition& whole) {
  const decompose::Decomposition decomposition = WithoutOnlyQuantizer(whole);
  Section section;
  section.id = "findings";
  section.title = "Findings";
  for (const Published& published : kPublished) {
    std::string text = Trend(decomposition.trends, published);
    if (!text.empty()) section.findings.push_back(std::move(text));
  }
  for (std::string& text : PartFindings(decomposition.cells)) {
    section.findings.push_back(std::move(text));
  }
  if (!section.findings.empty()) section.paragraphs.push_back(Errors(decomposition.parts));
  return section;
}

}  // namespace qatlas::report
