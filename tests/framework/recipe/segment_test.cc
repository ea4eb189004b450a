#include "framework/recipe/segment.h"

#include <functional>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::recipe {
namespace {

// Random specs; every field gets a value that is not its default.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t Int(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  double Float() { return std::ldexp(static_cast<double>(engine_() >> 11), -53 - (int)Int(0, 40)); }
  bool Bool() { return Int(0, 1) == 1; }
  std::string Text() {
    const char* texts[] = {"", "int", "a \"quoted\" \\ text", "line\nbreak = 3", "Größe", "4"};
    return texts[Int(0, 5)];
  }
  OptionTable Options(int depth = 2) {
    OptionTable table;
    for (int64_t i = Int(0, 4); i > 0; --i) {
      const std::string key = Text() + std::to_string(i);
      switch (Int(0, depth > 0 ? 4 : 3)) {
        case 0:
          table.values[key] = Bool();
          break;
        case 1:
          table.values[key] = Int(-1000000, 1000000);
          break;
        case 2:
          table.values[key] = Bool() ? Float() : std::floor(100 * Float());
          break;
        case 3:
          table.values[key] = Text();
          break;
        default:
          table.values[key] = std::make_shared<const OptionTable>(Options(depth - 1));
      }
    }
    return table;
  }
  ComponentUse Use() { return {Text(), Options(), static_cast<uint32_t>(Int(0, 0xffffffff))}; }
  SegmentSpec Segment() {
    SegmentSpec s;
    Trajectory& t = s.trajectory;
    t.model = Use();
    for (int64_t i = Int(0, 3); i > 0; --i) t.rules.push_back({Text(), Use()});
    t.data = Text();
    t.sequence_length = Int(1, 4096);
    t.batch_sequences = Int(1, 512);
    t.micro_batch_sequences = Int(1, 512);
    t.allow_epochs = Bool();
    t.peak_learning_rate = Float();
    for (int64_t i = Int(0, 3); i > 0; --i) {
      t.schedule.push_back(
          {static_cast<SchedulePiece::Shape>(Int(0, 3)), Int(0, 9), Int(10, 99), Float(), Float()});
    }
    t.optimizer = {Float(), Float(), Float(), Float(), Float()};
    for (int64_t i = Int(0, 2); i > 0; --i) {
      GroupSettings& group = t.groups[Text()];
      if (Bool()) group.learning_rate = Float();
      if (Bool()) group.weight_decay = Bool();
    }
    for (int64_t i = Int(0, 2); i > 0; --i) t.frozen.push_back(Text());
    t.seed = engine_();
    t.precision = Text();
    t.threads = static_cast<int>(Int(1, 64));
    t.device = Text();
    t.isa = Text();
    t.libtorch = Text();
    t.start = Text();
    t.start_step = Int(0, 1000);
    t.carry_optimizer = Bool();
    s.evaluation = {Int(1, 999), Int(0, 99), Int(1, 99999)};
    s.begin_step = Int(0, 99);
    s.end_step = Int(100, 999);
    s.evaluate = Bool();
    s.id = Text();
    s.start_checkpoint = Text();
    s.start_is_foreign = Bool();
    s.data_folder = Text();
    for (int64_t i = Int(0, 2); i > 0; --i) s.plugin_path.push_back(Text());
    s.checkpoint_every_seconds = Int(1, 600);
    return s;
  }

 private:
  std::mt19937_64 engine_;
};

TEST(Segment, RoundTripsThroughJsonText) {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    const SegmentSpec before = random.Segment();
    const std::string text = before.ToJson().dump(2);
    const auto after = SegmentSpec::FromJson(nlohmann::json::parse(text));
    ASSERT_TRUE(after.ok()) << after.status() << "\n" << text;
    EXPECT_EQ(after->ToJson().dump(2), text);
    EXPECT_EQ(after->trajectory.Identity(), before.trajectory.Identity());
    EXPECT_EQ(SegmentIdentity(*after), SegmentIdentity(before));
  }
}

TEST(Segment, OptionsKeepTheirTypes) {
  OptionTable table;
  table.values["i"] = int64_t{4};
  table.values["f"] = 4.0;
  const auto back = OptionsFromJson(nlohmann::json::parse(OptionsToJson(table).dump()));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(CanonicalText(*back), "{f = 4.0, i = 4}");
  EXPECT_FALSE(OptionsFromJson(nlohmann::json::parse(R"({"a": [1]})")).ok());
  EXPECT_FALSE(OptionsFromJson(nlohmann::json::parse(R"({"a": null})")).ok());
  EXPECT_FALSE(OptionsFromJson(nlohmann::json::parse("3")).ok());
}

TEST(Segment, EveryFieldOfATrajectoryDecidesItsIdentity) {
  const Trajectory base;
  const std::vector<std::function<void(Trajectory&)>> changes = {
      [](Trajectory& t) { t.model.component = "x"; },
      [](Trajectory& t) { t.model.numerics = 1; },
      [](Trajectory& t) { t.model.options.values["a"] = int64_t{4}; },
      [](Trajectory& t) { t.model.options.values["a"] = 4.0; },
      [](Trajectory& t) { t.model.options.values["a"] = std::string("4"); },
      [](Trajectory& t) {
        t.rules.push_back({"*", {"int", {}, 1}});
      },
      [](Trajectory& t) {
        t.rules.push_back({"*", {"int", {}, 2}});
      },
      [](Trajectory& t) {
        t.rules.push_back({"*.*.weight", {"int", {}, 2}});
      },
      [](Trajectory& t) { t.data = "d"; },
      [](Trajectory& t) { t.sequence_length = 257; },
      [](Trajectory& t) { t.batch_sequences = 9; },
      [](Trajectory& t) { t.micro_batch_sequences = 4; },
      [](Trajectory& t) { t.peak_learning_rate = std::nextafter(1e-3, 1); },
      [](Trajectory& t) { t.schedule.push_back({}); },
      [](Trajectory& t) {
        t.schedule.push_back({SchedulePiece::Shape::kLinear, 0, 0, 1, 1});
      },
      [](Trajectory& t) {
        t.schedule.push_back({SchedulePiece::Shape::kLinear, 0, 5, 1, 1});
      },
      [](Trajectory& t) {
        t.schedule.push_back({SchedulePiece::Shape::kLinear, 1, 5, 1, 1});
      },
      [](Trajectory& t) {
        t.schedule.push_back({SchedulePiece::Shape::kLinear, 1, 5, .5, 1});
      },
      [](Trajectory& t) {
        t.schedule.push_back({SchedulePiece::Shape::kLinear, 1, 5, .5, .5});
      },
      [](Trajectory& t) { t.optimizer.beta1 = .8; },
      [](Trajectory& t) { t.optimizer.beta2 = .8; },
      [](Trajectory& t) { t.optimizer.epsilon = 1e-7; },
      [](Trajectory& t) { t.optimizer.weight_decay = 0; },
      [](Trajectory& t) { t.optimizer.clip = 0; },
      [](Trajectory& t) { t.frozen = {"a"}; },
      [](Trajectory& t) { t.frozen = {"a", "b"}; },
      [](Trajectory& t) { t.groups["a"]; },
      [](Trajectory& t) { t.groups["b"]; },
      [](Trajectory& t) { t.groups["b"].learning_rate = 1; },
      [](Trajectory& t) { t.groups["b"].weight_decay = true; },
      [](Trajectory& t) { t.groups["b"].weight_decay = false; },
      [](Trajectory& t) { t.seed = 1; },
      [](Trajectory& t) { t.seed = ~uint64_t{0}; },
      [](Trajectory& t) { t.precision = "bf16"; },
      [](Trajectory& t) { t.threads = 2; },
      [](Trajectory& t) { t.device = "cuda"; },
      [](Trajectory& t) { t.isa = "avx2"; },
      [](Trajectory& t) { t.libtorch = "2.11.0"; },
      [](Trajectory& t) { t.start = "file:00"; },
      [](Trajectory& t) { t.start_step = 3; },
      [](Trajectory& t) { t.carry_optimizer = false; },
  };
  std::set<std::string> identities = {base.Identity()};
  for (size_t i = 0; i < changes.size(); ++i) {
    Trajectory changed = base;
    changes[i](changed);
    EXPECT_TRUE(identities.insert(changed.Identity()).second) << "change " << i;
  }
  // What is allowed is no part of what is trained.
  Trajectory allowed = base;
  allowed.allow_epochs = true;
  EXPECT_EQ(allowed.Identity(), base.Identity());
  EXPECT_EQ(base.Identity().size(), 32u);
  // Identities name finished work on people's disks. If this changes, all of it is trained again:
  // raise the number in the canonical text and say so in the release notes.
  EXPECT_EQ(base.Identity(), "add62582c8604cd3197925e67e5adf57");
}

TEST(Segment, EvaluationDecidesOnlyWhereResultsAreWanted) {
  SegmentSpec a;
  a.end_step = 10;
  SegmentSpec b = a;
  b.evaluation.validation_sequences = 7;
  EXPECT_NE(SegmentIdentity(a), SegmentIdentity(b));
  a.evaluate = b.evaluate = false;
  EXPECT_EQ(SegmentIdentity(a), SegmentIdentity(b));
  // Places and the step that it happens to start at decide nothing.
  b.data_folder = "/x";
  b.begin_step = 5;
  b.plugin_path = {"/y"};
  EXPECT_EQ(SegmentIdentity(a), SegmentIdentity(b));
  b.end_step = 11;
  EXPECT_NE(SegmentIdentity(a), SegmentIdentity(b));
  EXPECT_NE(StateIdentity(a.trajectory, 1), StateIdentity(a.trajectory, 2));
}

TEST(Segment, RefusesWhatItDoesNotKnow) {
  const nlohmann::json good = SegmentSpec().ToJson();
  const auto message = [](const nlohmann::json& json) {
    return std::string(SegmentSpec::FromJson(json).status().message());
  };
  nlohmann::json json = good;
  json["extra"] = 1;
  EXPECT_THAT(message(json), ::testing::HasSubstr("field 'extra' is unknown"));
  json = good;
  json.erase("end_step");
  EXPECT_EQ(message(json), "the segment: field 'end_step' is missing");
  json = good;
  json["trajectory"]["threads"] = "two";
  EXPECT_EQ(message(json), "the trajectory: field 'threads' is of another type: \"two\"");
  json = good;
  json["trajectory"]["threads"] = int64_t{1} << 32 | 1;  // 1 where only the lower half is read
  EXPECT_EQ(message(json), "the trajectory: field 'threads' is out of range: 4294967297");
  json["trajectory"]["threads"] = 1.5;
  EXPECT_FALSE(SegmentSpec::FromJson(json).ok());
  json = good;
  json["trajectory"]["schedule"] = {
      {{"shape", "round"}, {"begin", 0}, {"end", 1}, {"from", 1}, {"to", 1}}};
  EXPECT_EQ(message(json), "shape 'round' of a schedule is unknown");
  EXPECT_FALSE(SegmentSpec::FromJson(nlohmann::json::array()).ok());
}

}  // namespace
}  // namespace qatlas::recipe
