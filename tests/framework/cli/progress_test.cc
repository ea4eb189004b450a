// What is said of a sweep, as plain lines.
#ifdef QATLAS_HAS_TRAINING
#include "framework/cli/progress.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace qatlas::cli {
namespace {

runs::Plan TwoRuns() {
  runs::Plan plan;
  plan.runs.resize(2);
  plan.runs[0].name = "xs-fp";
  plan.runs[1].name = "xs-w4";
  plan.segments.resize(3);
  plan.segments[0].runs = {0, 1};
  plan.segments[1].runs = {0};
  plan.segments[2].runs = {1};
  return plan;
}

std::string Said(const std::vector<runs::Event>& events) {
  ::testing::internal::CaptureStderr();
  {
    ProgressView view(/*terminal=*/false);
    for (const runs::Event& event : events) view.On(event, TwoRuns());
  }
  return ::testing::internal::GetCapturedStderr();
}

runs::Event Make(runs::Event::Kind kind, int segment, const std::string& message) {
  runs::Event event;
  event.kind = kind;
  event.segment = segment;
  event.message = message;
  return event;
}

int Times(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Progress, AFailedTrunkIsOneLineARun) {
  using Kind = runs::Event::Kind;
  const std::string said =
      Said({Make(Kind::kFailed, 0, "nan after step 3"), Make(Kind::kBlocked, 1, "blocked by 1234"),
            Make(Kind::kBlocked, 2, "blocked by 1234")});
  EXPECT_EQ(Times(said, "failed: xs-fp: nan after step 3\n"), 1) << said;
  EXPECT_EQ(Times(said, "failed: xs-w4: nan after step 3\n"), 1) << said;
  EXPECT_EQ(Times(said, "blocked"), 0) << said;
}

TEST(Progress, EverySignalSaysWhatItDoes) {
  using Kind = runs::Event::Kind;
  const std::string said = Said({Make(Kind::kStopping, -1, "workers write their checkpoints"),
                                 Make(Kind::kStopping, -1, "workers are killed")});
  EXPECT_EQ(Times(said, "stopping: workers write their checkpoints\n"), 1) << said;
  EXPECT_EQ(Times(said, "stopping: workers are killed\n"), 1) << said;
}

TEST(Progress, DataSaysHowFarItIs) {
  runs::Event event = Make(runs::Event::Kind::kData, -1, "tokenize");
  event.done = 3;
  event.total = 12;
  EXPECT_EQ(Said({event}), "data: tokenize  25%\n");
}

}  // namespace
}  // namespace qatlas::cli
#endif
