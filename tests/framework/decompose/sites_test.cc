#include "framework/decompose/sites.h"

#include <cmath>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/decompose/json.h"
#include "framework/observe/atomic_file.h"

namespace qatlas::decompose {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRun[] = R"([
  {"site": "0.fc2.input", "block": 0, "role": "fc2", "operand": "input",
   "elements": 64, "kurtosis": 8, "max_to_median": 30, "snr_db": 12},
  {"site": "1.fc2.input", "kurtosis": 10, "max_to_median": 50, "snr_db": null},
  {"block": 1, "role": "fc2", "operand": "weight", "expert": 3, "kurtosis": 3}])";

TEST(SitesTest, MergesRuns) {
  observe::Table table;
  ASSERT_TRUE(AppendSites(kRun, "a.json", "a", table).ok());
  ASSERT_TRUE(AppendSites(R"({"step": 9, "sites": [{"site": "0.o.input", "kurtosis": 4}]})",
                          "b.json", "b", table)
                  .ok());
  ASSERT_EQ(table.rows(), 4u);
  EXPECT_EQ(table.TextAt(2, "site"), "1.fc2.e3.weight");
  EXPECT_EQ(table.NumberAt(2, "expert"), 3);
  EXPECT_TRUE(std::isnan(table.NumberAt(0, "expert")));
  EXPECT_TRUE(std::isnan(table.NumberAt(1, "snr_db")));
  EXPECT_EQ(table.NumberAt(1, "block"), 1);
  EXPECT_EQ(table.TextAt(3, "run"), "b");
  EXPECT_EQ(table.NumberAt(3, "step"), 9);
  const auto json = TableToJson(table);
  EXPECT_TRUE(json[1]["snr_db"].is_null());
  EXPECT_EQ(json[0]["snr_db"], 12);
}

TEST(SitesTest, SummaryByRoleAndOperand) {
  observe::Table table;
  ASSERT_TRUE(AppendSites(kRun, "a.json", "a", table).ok());
  const auto summary = SummarizeSites(table);
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_EQ(summary->rows(), 2u);
  EXPECT_EQ(summary->NumberAt(0, "sites"), 2);
  EXPECT_EQ(summary->NumberAt(0, "kurtosis"), 9);
  EXPECT_EQ(summary->NumberAt(0, "max_to_median_min"), 30);
  EXPECT_EQ(summary->NumberAt(0, "max_to_median_max"), 50);
  EXPECT_EQ(summary->NumberAt(0, "snr_db"), 12);
  EXPECT_TRUE(std::isnan(summary->NumberAt(1, "snr_db")));
  EXPECT_FALSE(summary->Has("block"));
  EXPECT_FALSE(SummarizeSites(table, {"rol"}).ok());
}

TEST(SitesTest, ProblemsAreReportedTogether) {
  observe::Table table;
  const absl::Status status = AppendSites(
      R"([7, {"site": "fc2.input"}, {"role": "o"}, {"site": "0.o.input", "snr_db": "high"},
          {"site": "0.o.input", "block": 1, "role": "o", "operand": "input"},
          {"site": "0.o.x.input"}, {"site": 3}])",
      "a.json", "a", table);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("a.json: element 0: an object is expected"),
                    HasSubstr("element 1: site 'fc2.input' is not"),
                    HasSubstr("element 2: it needs \"site\""),
                    HasSubstr("element 3: 'snr_db' must be a number or null"),
                    HasSubstr("element 4: site '0.o.input' does not agree"),
                    HasSubstr("element 5: site '0.o.x.input'"),
                    HasSubstr("element 6: \"site\" must be a text")));
  EXPECT_EQ(table.rows(), 0u);
  EXPECT_THAT(std::string(AppendSites("[", "a.json", "a", table).message()), HasSubstr("no JSON"));
  EXPECT_THAT(std::string(AppendSites("3", "a.json", "a", table).message()),
              HasSubstr("a JSON array of sites is expected"));
  EXPECT_EQ(AppendSitesFile("/no/such", "a", table).code(), absl::StatusCode::kNotFound);
}

TEST(SitesTest, LinesGiveTheEndOfTheRun) {
  const std::string path = ::testing::TempDir() + "/qatlas-sites-test.jsonl";
  ASSERT_TRUE(observe::WriteFileAtomically(
                  path,
                  "{\"step\":1,\"sites\":[{\"site\":\"0.o.input\",\"kurtosis\":1}]}\n"
                  "{\"step\":2,\"sites\":[{\"site\":\"0.o.input\",\"kurtosis\":2}]}\n")
                  .ok());
  observe::Table table;
  ASSERT_TRUE(AppendSitesFile(path, "a", table).ok());
  std::remove(path.c_str());
  ASSERT_EQ(table.rows(), 1u);
  EXPECT_EQ(table.NumberAt(0, "kurtosis"), 2);
}

}  // namespace
}  // namespace qatlas::decompose
