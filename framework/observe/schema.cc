#include "framework/observe/schema.h"

namespace qatlas::observe {
namespace {

constexpr ColumnKind kNumber = ColumnKind::kNumber;
constexpr ColumnKind kText = ColumnKind::kText;

constexpr StandardColumn kColumns[] = {
    {"run", kText, "", "id of the run"},
    {"model", kText, "", "name of the model's size"},
    {"N", kNumber, "parameters", "parameters of the blocks' linears"},
    {"N_total", kNumber, "parameters", "all parameters, embeddings included"},
    {"D", kNumber, "tokens", "tokens trained on"},
    {"scheme", kText, "", "name of the scheme; 'fp' or missing: full precision"},
    {"precision", kText, "", "label of the bits, such as W4A4"},
    {"part", kText, "",
     "what is quantized: both, weights, inputs, fc2-8bit, only:<role>, not:<role>, none"},
    {"weight_bits", kNumber, "bits", "bits of the weights"},
    {"input_bits", kNumber, "bits", "bits of the linears' inputs"},
    {"fc2_input_bits", kNumber, "bits", "bits of FC2's input"},
    {"G", kNumber, "elements",
     "elements that share a scale: the group size, features of the reduction, or all weights"},
    {"granularity", kText, "", "per-group, per-channel, per-token or per-tensor"},
    {"qat_fraction", kNumber, "", "share of D trained quantized, 0 to 1"},
    {"seed", kNumber, "", "seed of initialization and data order"},
    {"loss", kNumber, "nats/token", "validation loss"},
    {"loss_se", kNumber, "nats/token", "standard error of loss over sequences"},
    {"train_loss", kNumber, "nats/token", "smoothed training loss at the end"},
    {"baseline", kText, "", "run id of the full-precision pair"},
    {"delta", kNumber, "nats/token", "loss minus the loss of the pair"},
    {"delta_se", kNumber, "nats/token", "standard error of delta, paired over sequences"},
    {"flops", kNumber, "FLOPs", "floating-point operations of the training"},
    {"status", kText, "", "done, or failed with its reason"},
};

}  // namespace

absl::Span<const StandardColumn> StandardColumns() { return kColumns; }

const StandardColumn* FindStandardColumn(absl::string_view name) {
  for (const StandardColumn& column : kColumns) {
    if (name == column.name) return &column;
  }
  return nullptr;
}

std::vector<std::string> StandardColumnNames() {
  std::vector<std::string> names;
  for (const StandardColumn& column : kColumns) names.emplace_back(column.name);
  return names;
}

Table EmptyObservations() {
  Table table;
  for (const StandardColumn& column : kColumns) {
    // An empty column of a new name always fits an empty table.
    if (column.kind == kNumber) {
      table.SetNumbers(column.name, {}).IgnoreError();
    } else {
      table.SetTexts(column.name, TextColumn()).IgnoreError();
    }
  }
  return table;
}

}  // namespace qatlas::observe
