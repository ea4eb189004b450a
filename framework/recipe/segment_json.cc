// SegmentSpec and its parts as JSON and back.
#include <string>
#include <utility>

#include <qatlas/check.h>
#include "framework/plugin/document.h"
#include "framework/recipe/json_reader.h"
#include "framework/recipe/segment.h"

namespace qatlas::recipe {
namespace {

using nlohmann::json;

struct ShapeName {
  SchedulePiece::Shape shape;
  const char* name;
};
constexpr ShapeName kShapes[] = {{SchedulePiece::Shape::kConstant, "constant"},
                                 {SchedulePiece::Shape::kLinear, "linear"},
                                 {SchedulePiece::Shape::kCosine, "cosine"},
                                 {SchedulePiece::Shape::kOneMinusSqrt, "one-minus-sqrt"}};

json UseToJson(const ComponentUse& use) {
  return {{"component", use.component},
          {"options", OptionsToJson(use.options)},
          {"numerics", use.numerics}};
}

absl::StatusOr<ComponentUse> UseFromJson(const json& from, const std::string& what) {
  JsonReader reader(from, what);
  ComponentUse use;
  reader.Read("component", &use.component);
  reader.Read("numerics", &use.numerics);
  if (const json* options = reader.Field("options")) {
    absl::StatusOr<OptionTable> table = OptionsFromJson(*options);
    reader.Take(table.status());
    if (table.ok()) use.options = *std::move(table);
  }
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return use;
}

json PieceToJson(const SchedulePiece& piece) {
  std::string shape;
  for (const ShapeName& known : kShapes) {
    if (known.shape == piece.shape) shape = known.name;
  }
  return {{"shape", shape},
          {"begin", piece.begin},
          {"end", piece.end},
          {"from", piece.from},
          {"to", piece.to}};
}

absl::StatusOr<SchedulePiece> PieceFromJson(const json& from) {
  JsonReader reader(from, "a piece of the schedule");
  SchedulePiece piece;
  std::string shape;
  reader.Read("shape", &shape);
  reader.Read("begin", &piece.begin);
  reader.Read("end", &piece.end);
  reader.Read("from", &piece.from);
  reader.Read("to", &piece.to);
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  for (const ShapeName& known : kShapes) {
    if (shape == known.name) {
      piece.shape = known.shape;
      return piece;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("shape '", shape, "' of a schedule is unknown"));
}

json OptimizerToJson(const OptimizerSettings& optimizer) {
  return {{"beta1", optimizer.beta1},
          {"beta2", optimizer.beta2},
          {"epsilon", optimizer.epsilon},
          {"weight_decay", optimizer.weight_decay},
          {"clip", optimizer.clip}};
}

absl::StatusOr<OptimizerSettings> OptimizerFromJson(const json& from) {
  JsonReader reader(from, "the optimizer");
  OptimizerSettings optimizer;
  reader.Read("beta1", &optimizer.beta1);
  reader.Read("beta2", &optimizer.beta2);
  reader.Read("epsilon", &optimizer.epsilon);
  reader.Read("weight_decay", &optimizer.weight_decay);
  reader.Read("clip", &optimizer.clip);
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return optimizer;
}

json GroupToJson(const GroupSettings& group) {
  json result = json::object();
  if (group.learning_rate) result["learning_rate"] = *group.learning_rate;
  if (group.weight_decay) result["weight_decay"] = *group.weight_decay;
  return result;
}

absl::StatusOr<GroupSettings> GroupFromJson(const json& from, const std::string& name) {
  JsonReader reader(from, absl::StrCat("optimizer group '", name, "'"));
  GroupSettings group;
  if (reader.OptionalField("learning_rate"))
    reader.Read("learning_rate", &group.learning_rate.emplace());
  if (reader.OptionalField("weight_decay"))
    reader.Read("weight_decay", &group.weight_decay.emplace());
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return group;
}

json EvaluationToJson(const Evaluation& evaluation) {
  return {{"validation_sequences", evaluation.validation_sequences},
          {"site_statistics_every", evaluation.site_statistics_every},
          {"smoothing_tokens", evaluation.smoothing_tokens}};
}

absl::StatusOr<Evaluation> EvaluationFromJson(const json& from) {
  JsonReader reader(from, "the evaluation");
  Evaluation evaluation;
  reader.Read("validation_sequences", &evaluation.validation_sequences);
  reader.Read("site_statistics_every", &evaluation.site_statistics_every);
  reader.Read("smoothing_tokens", &evaluation.smoothing_tokens);
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return evaluation;
}

// Reads the array of a field element by element.
template <typename T, typename Function>
void ReadList(JsonReader* reader, const char* key, std::vector<T>* out, Function from_json) {
  const json* list = reader->Field(key);
  if (list == nullptr) return;
  if (!list->is_array()) return reader->Fail(absl::StrCat("field '", key, "' is no array"));
  for (const json& element : *list) {
    absl::StatusOr<T> value = from_json(element);
    if (!value.ok()) return reader->Take(value.status());
    out->push_back(*std::move(value));
  }
}

absl::StatusOr<ResolvedRule> RuleFromJson(const json& from) {
  JsonReader reader(from, "a rule");
  ResolvedRule rule;
  reader.Read("sites", &rule.sites);
  if (const json* use = reader.Field("quantizer")) {
    absl::StatusOr<ComponentUse> quantizer = UseFromJson(*use, "the quantizer of a rule");
    reader.Take(quantizer.status());
    if (quantizer.ok()) rule.quantizer = *std::move(quantizer);
  }
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return rule;
}

absl::StatusOr<std::string> TextFromJson(const json& from) {
  if (from.is_string()) return from.get<std::string>();
  return absl::InvalidArgumentError("a list of texts holds something that is no text");
}

// Takes the value of a StatusOr into `out`, or its status into the reader.
template <typename T>
void Take(JsonReader* reader, absl::StatusOr<T> value, T* out) {
  reader->Take(value.status());
  if (value.ok()) *out = *std::move(value);
}

}  // namespace

json OptionsToJson(const OptionTable& table) {
  return plugin::NodeToJson(plugin::NodeFromOptions(table, ""));
}

absl::StatusOr<OptionTable> OptionsFromJson(const json& from) {
  if (!from.is_object()) return absl::InvalidArgumentError("options are no JSON object");
  OptionTable table;
  for (const auto& [key, value] : from.items()) {
    absl::StatusOr<OptionValue> option = plugin::OptionFromNode(plugin::NodeFromJson(value, key));
    if (!option.ok() || value.is_null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("option '", key, "' cannot be ", value.dump()));
    }
    table.values[key] = *std::move(option);
  }
  return table;
}

json Trajectory::ToJson() const {
  json rules_json = json::array();
  for (const ResolvedRule& rule : rules) {
    rules_json.push_back({{"sites", rule.sites}, {"quantizer", UseToJson(rule.quantizer)}});
  }
  json schedule_json = json::array();
  for (const SchedulePiece& piece : schedule) schedule_json.push_back(PieceToJson(piece));
  json groups_json = json::object();
  for (const auto& [name, group] : groups) groups_json[name] = GroupToJson(group);
  json result = {{"model", UseToJson(model)},
                 {"rules", std::move(rules_json)},
                 {"data", data},
                 {"sequence_length", sequence_length},
                 {"batch_sequences", batch_sequences},
                 {"micro_batch_sequences", micro_batch_sequences},
                 {"allow_epochs", allow_epochs},
                 {"peak_learning_rate", peak_learning_rate},
                 {"schedule", std::move(schedule_json)},
                 {"optimizer", OptimizerToJson(optimizer)},
                 {"groups", std::move(groups_json)},
                 {"seed", seed},
                 {"precision", precision},
                 {"threads", threads},
                 {"device", device},
                 {"isa", isa},
                 {"libtorch", libtorch},
                 {"start", start},
                 {"start_step", start_step},
                 {"carry_optimizer", carry_optimizer}};
  if (!frozen.empty()) result["frozen"] = frozen;
  return result;
}

absl::StatusOr<Trajectory> Trajectory::FromJson(const json& from) {
  JsonReader reader(from, "the trajectory");
  Trajectory result;
  if (const json* model = reader.Field("model")) {
    Take(&reader, UseFromJson(*model, "the model"), &result.model);
  }
  ReadList(&reader, "rules", &result.rules, RuleFromJson);
  reader.Read("data", &result.data);
  reader.Read("sequence_length", &result.sequence_length);
  reader.Read("batch_sequences", &result.batch_sequences);
  reader.Read("micro_batch_sequences", &result.micro_batch_sequences);
  reader.Read("allow_epochs", &result.allow_epochs);
  reader.Read("peak_learning_rate", &result.peak_learning_rate);
  ReadList(&reader, "schedule", &result.schedule, PieceFromJson);
  if (const json* optimizer = reader.Field("optimizer")) {
    Take(&reader, OptimizerFromJson(*optimizer), &result.optimizer);
  }
  if (const json* groups = reader.Field("groups")) {
    if (!groups->is_object()) reader.Fail("field 'groups' is no object");
    for (const auto& [name, group] : groups->items()) {
      Take(&reader, GroupFromJson(group, name), &result.groups[name]);
    }
  }
  if (reader.OptionalField("frozen") != nullptr) {
    ReadList(&reader, "frozen", &result.frozen, TextFromJson);
  }
  reader.Read("seed", &result.seed);
  reader.Read("precision", &result.precision);
  reader.Read("threads", &result.threads);
  reader.Read("device", &result.device);
  reader.Read("isa", &result.isa);
  // Written since identities hold it.
  if (reader.OptionalField("libtorch") != nullptr) reader.Read("libtorch", &result.libtorch);
  reader.Read("start", &result.start);
  reader.Read("start_step", &result.start_step);
  reader.Read("carry_optimizer", &result.carry_optimizer);
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return result;
}

json SegmentSpec::ToJson() const {
  return {{"trajectory", trajectory.ToJson()},
          {"evaluation", EvaluationToJson(evaluation)},
          {"begin_step", begin_step},
          {"end_step", end_step},
          {"evaluate", evaluate},
          {"id", id},
          {"start_checkpoint", start_checkpoint},
          {"start_is_foreign", start_is_foreign},
          {"data_folder", data_folder},
          {"plugin_path", plugin_path},
          {"checkpoint_every_seconds", checkpoint_every_seconds}};
}

absl::StatusOr<SegmentSpec> SegmentSpec::FromJson(const json& from) {
  JsonReader reader(from, "the segment");
  SegmentSpec result;
  if (const json* trajectory = reader.Field("trajectory")) {
    Take(&reader, Trajectory::FromJson(*trajectory), &result.trajectory);
  }
  if (const json* evaluation = reader.Field("evaluation")) {
    Take(&reader, EvaluationFromJson(*evaluation), &result.evaluation);
  }
  reader.Read("begin_step", &result.begin_step);
  reader.Read("end_step", &result.end_step);
  reader.Read("evaluate", &result.evaluate);
  reader.Read("id", &result.id);
  reader.Read("start_checkpoint", &result.start_checkpoint);
  reader.Read("start_is_foreign", &result.start_is_foreign);
  reader.Read("data_folder", &result.data_folder);
  ReadList(&reader, "plugin_path", &result.plugin_path, TextFromJson);
  reader.Read("checkpoint_every_seconds", &result.checkpoint_every_seconds);
  QATLAS_RETURN_IF_ERROR(reader.Finish());
  return result;
}

}  // namespace qatlas::recipe
