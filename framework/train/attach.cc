#include "framework/train/attach.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/train/outcome.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

// What both operands of a linear ask of calibration, without sites that are restored.
CalibrationNeeds NeedsOf(const LinearPlan& plan, const AttachRequest& request) {
  CalibrationNeeds needs;
  for (const char* operand : {kWeight, kInput}) {
    const bool weight = operand == kWeight;
    const int rule = weight ? plan.weight_rule : plan.input_rule;
    if (rule == kFullPrecision || (!weight && plan.OwnsInput())) continue;
    const Site site = weight ? plan.linear->WeightSite() : plan.linear->InputSite();
    auto saved = request.saved.find(site.Name());
    if (saved != request.saved.end() &&
        saved->second.key == QuantizerKey((*request.rules)[rule].quantizer)) {
      continue;
    }
    needs = Combine(needs, (*request.quantizers)[rule].quantizer->Calibration(operand));
  }
  return needs;
}

absl::Status WithSite(const absl::Status& status, const Site& site) {
  return WithPrefix(absl::StrCat("site ", site.Name(), ": "), status);
}

// Attaches the quantizers of one linear and appends them.
absl::Status AttachLinear(const LinearPlan& plan, const AttachRequest& request,
                          const CalibrationStatistics* statistics,
                          std::vector<AttachedSite>* attached) {
  QuantizableLinear& linear = *plan.linear;
  if (!linear.weight().defined()) {
    QATLAS_CHECK(request.make_weight != nullptr, "a weight was put off and nobody makes it");
    auto saved = request.saved.find(linear.WeightSite().Name());
    const bool restoring =
        saved != request.saved.end() &&
        saved->second.key == QuantizerKey((*request.rules)[plan.weight_rule].quantizer);
    QATLAS_RETURN_IF_ERROR(request.make_weight(linear, restoring));
  }
  // Both contexts see the weight as it is before either quantizer is attached.
  const at::Tensor weight = linear.weight();
  for (const char* operand : {kInput, kWeight}) {
    const bool is_weight = operand == kWeight;
    const int rule = is_weight ? plan.weight_rule : plan.input_rule;
    if (rule == kFullPrecision || (!is_weight && plan.OwnsInput())) continue;
    const int other = is_weight ? plan.input_rule : plan.weight_rule;
    const QuantizerComponent& component = (*request.quantizers)[rule];

    AttachedSite site;
    site.site = is_weight ? linear.WeightSite() : linear.InputSite();
    site.linear = plan.linear;
    site.rule = rule;
    site.key = QuantizerKey((*request.rules)[rule].quantizer);
    site.attached_step = request.step;

    AttachContext context;
    context.block = linear.block();
    context.role = linear.role();
    context.expert = linear.expert();
    context.in_features = linear.in_features();
    context.out_features = linear.out_features();
    context.weight = weight.defined() ? weight.detach() : weight;
    context.bias = linear.bias().defined() ? linear.bias().detach() : at::Tensor();
    context.seed = SiteSeed(request.seed, site.site.Name());
    if (other != kFullPrecision) {
      context.other_operand = (*request.quantizers)[other].quantizer.get();
    }
    auto saved = request.saved.find(site.site.Name());
    if (saved != request.saved.end() && saved->second.key == site.key) {
      context.restoring = true;
      site.attached_step = saved->second.attached_step;
    } else {
      if (is_weight && saved != request.saved.end() && request.parent) {
        context.parent = [&request, &linear, seen = context] {
          return request.parent(linear, seen);
        };
      }
      if (component.quantizer->Calibration(operand).tokens > 0) {
        context.calibration = statistics;
      }
    }
    context.total_steps = site.StepsUntil(request.end_step, request.step);

    if (is_weight && plan.whole) {
      auto made = component.quantizer->AttachLinear(context, plan.OwnsInput());
      if (!made.ok()) return WithSite(made.status(), site.site);
      std::shared_ptr<LinearOperator> instance = std::move(*made);
      QATLAS_CHECK(instance != nullptr, "a quantizer attached nothing");
      site.whole = instance.get();
      site.instance = instance.get();
      linear.SetOperator(std::move(instance));
    } else {
      auto made = component.quantizer->AttachOperand(operand, context);
      if (!made.ok()) return WithSite(made.status(), site.site);
      std::shared_ptr<OperandQuantizer> instance = std::move(*made);
      QATLAS_CHECK(instance != nullptr, "a quantizer attached nothing");
      site.operand = instance.get();
      site.instance = instance.get();
      if (is_weight) {
        linear.SetWeightQuantizer(std::move(instance));
      } else {
        linear.SetInputQuantizer(std::move(instance));
      }
    }
    attached->push_back(std::move(site));
  }
  return absl::OkStatus();
}

}  // namespace

std::string QuantizerKey(const recipe::ComponentUse& use) {
  return absl::StrCat(use.component, "@", use.numerics, CanonicalText(use.options));
}

uint64_t SiteSeed(uint64_t seed, const std::string& site) {
  // FNV-1a over the name, mixed with the seed by the finalizer of splitmix64.
  uint64_t hash = 0xcbf29ce484222325ull;
  for (char c : site) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  uint64_t z = hash + 0x9e3779b97f4a7c15ull * (seed + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

bool NeedsCalibration(const std::vector<LinearPlan>& plans, const AttachRequest& request) {
  if (!request.calibration.source) return false;
  for (const LinearPlan& plan : plans) {
    if (NeedsOf(plan, request).tokens > 0) return true;
  }
  return false;
}

absl::StatusOr<std::vector<AttachedSite>> AttachQuantizers(Model& model,
                                                           const std::vector<LinearPlan>& plans,
                                                           const AttachRequest& request) {
  const bool has_values = static_cast<bool>(request.calibration.source);
  std::map<QuantizableLinear*, CalibrationNeeds> at_once;
  std::map<QuantizableLinear*, CalibrationNeeds> one_by_one;
  if (has_values) {
    for (const LinearPlan& plan : plans) {
      const CalibrationNeeds needs = NeedsOf(plan, request);
      if (needs.tokens > 0) (needs.sequential ? one_by_one : at_once)[plan.linear] = needs;
    }
  }
  std::map<const QuantizableLinear*, CalibrationStatistics> statistics =
      Calibrate(model, at_once, request.calibration);
  std::vector<AttachedSite> attached;
  for (const LinearPlan& plan : plans) {
    if (auto needs = one_by_one.find(plan.linear); needs != one_by_one.end()) {
      statistics.merge(Calibrate(model, {*needs}, request.calibration));
    }
    auto found = statistics.find(plan.linear);
    QATLAS_RETURN_IF_ERROR(AttachLinear(
        plan, request, found == statistics.end() ? nullptr : &found->second, &attached));
    // Statistics with a Hessian are as large as the weight: they go as soon as they were used.
    if (found != statistics.end()) statistics.erase(found);
  }
  return attached;
}

void Detach(const std::vector<LinearPlan>& plans) {
  for (const LinearPlan& plan : plans) {
    plan.linear->SetInputQuantizer(nullptr);
    plan.linear->SetWeightQuantizer(nullptr);
    plan.linear->SetOperator(nullptr);
  }
}

}  // namespace qatlas::train
