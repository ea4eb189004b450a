#include "framework/recipe/segment.h"

#include <openssl/evp.h>

#include <cstdio>

#include <qatlas/check.h>
#include "absl/strings/str_cat.h"

namespace qatlas::recipe {
namespace {

// A canonical text: "name = value" lines in a fixed order. Adding a field to the struct must add a
// line here, which changes every identity: that is what a field that decides results should do.
class Canonical {
 public:
  explicit Canonical(const char* what) { absl::StrAppend(&text_, what, "\n"); }

  Canonical& Add(const char* name, const OptionValue& value) {
    absl::StrAppend(&text_, name, " = ", CanonicalText(value), "\n");
    return *this;
  }
  Canonical& Int(const char* name, int64_t value) { return Add(name, OptionValue(value)); }
  Canonical& Float(const char* name, double value) { return Add(name, OptionValue(value)); }
  Canonical& Bool(const char* name, bool value) { return Add(name, OptionValue(value)); }
  Canonical& Text(const char* name, const std::string& value) {
    return Add(name, OptionValue(value));
  }
  Canonical& Use(const char* name, const ComponentUse& use) {
    absl::StrAppend(&text_, name, " = ", CanonicalText(OptionValue(use.component)), " ",
                    use.numerics, " ", CanonicalText(use.options), "\n");
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The first 16 bytes of SHA-256 as hex.
std::string Hash(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  QATLAS_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) == 1,
               "OpenSSL has no SHA-256");
  std::string result;
  for (int i = 0; i < 16; ++i) {
    char byte[3];
    std::snprintf(byte, sizeof(byte), "%02x", digest[i]);
    result += byte;
  }
  return result;
}

}  // namespace

std::string Trajectory::Identity() const {
  Canonical canonical("trajectory 2");
  canonical.Int("numerics", kTrainingNumerics).Text("libtorch", libtorch).Use("model", model);
  for (const ResolvedRule& rule : rules) {
    canonical.Text("sites", rule.sites).Use("quantizer", rule.quantizer);
  }
  canonical.Text("data", data)
      .Int("sequence_length", sequence_length)
      .Int("batch_sequences", batch_sequences)
      .Int("micro_batch_sequences", micro_batch_sequences)
      .Float("peak_learning_rate", peak_learning_rate);
  for (const SchedulePiece& piece : schedule) {
    canonical.Int("shape", static_cast<int64_t>(piece.shape))
        .Int("begin", piece.begin)
        .Int("end", piece.end)
        .Float("from", piece.from)
        .Float("to", piece.to);
  }
  canonical.Float("beta1", optimizer.beta1)
      .Float("beta2", optimizer.beta2)
      .Float("epsilon", optimizer.epsilon)
      .Float("weight_decay", optimizer.weight_decay)
      .Float("clip", optimizer.clip);
  for (const auto& [name, group] : groups) {
    canonical.Text("group", name);
    if (group.learning_rate) canonical.Float("group.learning_rate", *group.learning_rate);
    if (group.weight_decay) canonical.Bool("group.weight_decay", *group.weight_decay);
  }
  // Only where there are some: what was trained before there were any keeps its identity.
  for (const std::string& group : frozen) canonical.Text("frozen", group);
  // The seed as text: it may exceed the largest signed number.
  canonical.Text("seed", absl::StrCat(seed))
      .Text("precision", precision)
      .Int("threads", threads)
      .Text("device", device)
      .Text("isa", isa)
      .Text("start", start)
      .Int("start_step", start_step)
      .Bool("carry_optimizer", carry_optimizer);
  return Hash(canonical.text());
}

std::string StateIdentity(const Trajectory& trajectory, int64_t step) {
  return Hash(
      Canonical("state 1").Text("trajectory", trajectory.Identity()).Int("step", step).text());
}

std::string SegmentIdentity(const SegmentSpec& segment) {
  Canonical canonical("segment 1");
  canonical.Text("state", StateIdentity(segment.trajectory, segment.end_step));
  if (segment.evaluate) {
    canonical.Int("validation_sequences", segment.evaluation.validation_sequences)
        .Int("site_statistics_every", segment.evaluation.site_statistics_every)
        .Int("smoothing_tokens", segment.evaluation.smoothing_tokens);
  }
  return Hash(canonical.text());
}

}  // namespace qatlas::recipe
