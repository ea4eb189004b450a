#include "framework/plan/world.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/fit/json.h"

namespace qatlas::plan {
namespace {

constexpr const char* kBits[] = {"weight_bits", "input_bits", "kv_bits", "bits"};

// What is still unknown of a point after full precision is said.
Point InFullPrecision(const World& world, Point point, std::vector<std::string>* fixed) {
  if (world.full_precision.numbers.empty() && world.full_precision.texts.empty()) {
    for (const LawCovariate& covariate : world.loss->form->Spec().covariates) {
      const bool bits =
          std::find(std::begin(kBits), std::end(kBits), covariate.name) != std::end(kBits);
      if (!bits && covariate.name != kQuantized) continue;
      // What the form itself takes for a row without quantization.
      point.numbers[covariate.name] = std::isfinite(covariate.missing) ? covariate.missing : 16;
      fixed->push_back(covariate.name);
    }
    for (const LawValue& parameter : world.loss->parameters) {
      for (const std::string& column : parameter.split_by) {
        if (column != "precision") continue;
        point.texts[column] = "fp";
        fixed->push_back(column);
      }
    }
    return point;
  }
  for (const auto& [name, value] : world.full_precision.numbers) {
    point.numbers[name] = value;
    fixed->push_back(name);
  }
  for (const auto& [name, text] : world.full_precision.texts) {
    point.texts[name] = text;
    fixed->push_back(name);
  }
  return point;
}

}  // namespace

bool KnowsPrecision(const Law& law) {
  if (law.target != kTargetLoss) return false;
  if (law.form->Spec().CovariateIndex(kQuantized) >= 0) return true;
  for (const char* name : kBits) {
    if (law.form->Spec().CovariateIndex(name) >= 0) return true;
  }
  for (const LawValue& parameter : law.parameters) {
    for (const std::string& column : parameter.split_by) {
      if (column == "precision" || column == "scheme") return true;
    }
  }
  return false;
}

absl::StatusOr<BoundWorld> BoundWorld::Create(const World& world, const Point& point,
                                              const std::vector<std::string>& open) {
  BoundWorld bound;
  if (world.loss == nullptr && world.delta == nullptr) {
    return absl::InvalidArgumentError(
        "there is no law; give --preset, --fit or a table with --law");
  }
  int draws = 0;
  for (const Law* law : {world.loss, world.delta}) {
    if (law == nullptr || law->DrawCount() == 0) continue;
    draws = draws == 0 ? law->DrawCount() : std::min(draws, law->DrawCount());
  }
  bound.draws_ = draws;
  if (world.loss != nullptr) {
    bound.total_ = KnowsPrecision(*world.loss);
    if (bound.total_ && world.delta != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(world.loss->name, " knows precision itself, so ", world.delta->name,
                       " cannot be added to it; give one of the two"));
    }
    QATLAS_ASSIGN_OR_RETURN(bound.loss_, BoundLaw::Create(*world.loss, point, open));
    if (bound.total_) {
      const Point reference = InFullPrecision(world, point, &bound.fixed_);
      auto created = BoundLaw::Create(*world.loss, reference, open);
      if (!created.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("full precision has no value (",
                                                       created.status().message(),
                                                       "); --full-precision says where it stands"));
      }
      bound.reference_ = *std::move(created);
    }
  }
  if (world.delta != nullptr) {
    QATLAS_ASSIGN_OR_RETURN(bound.delta_, BoundLaw::Create(*world.delta, point, open));
  }
  return bound;
}

void BoundWorld::Set(const std::string& name, double value) {
  if (loss_) loss_->Set(name, value);
  if (delta_) delta_->Set(name, value);
  if (reference_ && std::find(fixed_.begin(), fixed_.end(), name) == fixed_.end()) {
    reference_->Set(name, value);
  }
}

double BoundWorld::FullPrecision(int draw) const {
  return total_ ? reference_->Value(draw) : loss_->Value(draw);
}

double BoundWorld::Delta(int draw) const {
  if (!total_) return delta_->Value(draw);
  const double loss = loss_->Value(draw), reference = reference_->Value(draw);
  return std::isfinite(loss) && std::isfinite(reference) ? loss - reference : kNone;
}

double BoundWorld::Loss(int draw) const {
  double loss = loss_->Value(draw);
  if (!total_ && delta_) loss += delta_->Value(draw);
  return std::isnan(loss) ? kNone : loss;
}

Quantity Summarize(const std::string& name, const std::string& unit, int draws, double level,
                   const std::function<double(int draw)>& functional) {
  Quantity quantity;
  quantity.name = name;
  quantity.unit = unit;
  quantity.value = functional(-1);
  if (!std::isfinite(quantity.value)) {
    quantity.none = "there is none at these values";
  }
  std::vector<double> values;
  for (int draw = 0; draw < draws; ++draw) {
    const double value = functional(draw);
    if (std::isfinite(value)) values.push_back(value);
  }
  if (draws > 0) {
    quantity.undefined_share = 1 - static_cast<double>(values.size()) / draws;
  }
  if (values.size() >= 20 && quantity.undefined_share <= .5) {
    std::sort(values.begin(), values.end());
    quantity.interval = {fit::Quantile(values, (1 - level) / 2),
                         fit::Quantile(values, (1 + level) / 2)};
  }
  return quantity;
}

absl::Status RequireIdentifiable(const std::vector<const Law*>& laws, bool allow,
                                 std::vector<std::string>* warnings) {
  for (const Law* law : laws) {
    if (law == nullptr || law->identifiable) continue;
    const std::string what = absl::StrCat("the fit of ", law->name, " (", law->source,
                                          ") is not identifiable: ", law->reason);
    if (!allow) {
      return absl::FailedPreconditionError(absl::StrCat(
          what,
          ". Nothing is planned from it; add runs, hold parameters at known values, or mark "
          "the answers with --allow-unidentified"));
    }
    warnings->push_back(absl::StrCat(what, ". Numbers below are not to be quoted"));
  }
  return absl::OkStatus();
}

void Describe(const World& world, std::vector<std::string>* notes) {
  for (const Law* law : {world.loss, world.delta}) {
    if (law == nullptr) continue;
    notes->push_back(absl::StrCat(law->name, " for the ",
                                  law->target == kTargetDelta ? "error δ" : law->target, " from ",
                                  law->source, "; intervals: ", law->intervals));
    if (law->fitted.empty()) {
      notes->push_back(absl::StrCat("The range that ", law->name,
                                    " was fitted on is not recorded with its constants; --range "
                                    "N=low:high tells it."));
    }
  }
  if (world.loss != nullptr && world.delta != nullptr && world.loss->DrawCount() > 0 &&
      world.delta->DrawCount() > 0) {
    notes->push_back("The two laws were fitted apart; their errors are taken as independent.");
  } else if (world.loss != nullptr && world.delta != nullptr &&
             (world.loss->DrawCount() > 0) != (world.delta->DrawCount() > 0)) {
    const Law* sure = world.loss->DrawCount() > 0 ? world.delta : world.loss;
    notes->push_back(absl::StrCat("Intervals leave out how unsure ", sure->name, " is."));
  }
}

void WarnOutside(const World& world, const Point& point, std::vector<std::string>* warnings) {
  for (const Law* law : {world.loss, world.delta}) {
    if (law == nullptr) continue;
    for (std::string& warning : OutsideRange(*law, point)) {
      if (std::find(warnings->begin(), warnings->end(), warning) == warnings->end()) {
        warnings->push_back(std::move(warning));
      }
    }
  }
}

nlohmann::json ToJson(const Answer& answer) {
  using nlohmann::json;
  json rows = json::array();
  for (const Row& row : answer.rows) {
    json entry = {{"label", row.label}, {"quantities", json::array()}};
    for (const Quantity& quantity : row.quantities) {
      json value = {
          {"name", quantity.name},
          {"unit", quantity.unit},
          {"value", quantity.none.empty() ? fit::Number(quantity.value) : json(nullptr)},
          {"interval", quantity.interval ? fit::ToJson(*quantity.interval) : json(nullptr)}};
      if (quantity.undefined_share > 0) value["undefined_share"] = quantity.undefined_share;
      if (!quantity.none.empty()) value["none"] = quantity.none;
      entry["quantities"].push_back(std::move(value));
    }
    for (const auto& [name, text] : row.words) entry[name] = text;
    rows.push_back(std::move(entry));
  }
  return {{"question", answer.question},
          {"answer", rows},
          {"warnings", answer.warnings},
          {"notes", answer.notes}};
}

}  // namespace qatlas::plan
