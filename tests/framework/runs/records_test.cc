#include "framework/runs/records.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qatlas::runs {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Records, ResultsAreRead) {
  const auto result = ResultFromJson(
      {{"validation", {{"loss", 3.25}, {"se", .01}, {"per_sequence", {3, 3.5}}}},
       {"counts", {{"block_linears", 1000}, {"total", 2000}, {"flops_per_token", 6e3}}},
       {"train_loss_smoothed", nullptr},
       {"train_losses", {3.5, nullptr}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->loss, 3.25);
  EXPECT_EQ(result->parameters, 1000);
  EXPECT_THAT(result->per_sequence, ElementsAre(3, 3.5));
  EXPECT_TRUE(std::isnan(result->train_loss));
  EXPECT_TRUE(std::isnan(result->train_losses[1]));
}

// A result.json of another kind ended the program with an exception.
TEST(Records, DamagedResultsAreRefused) {
  for (const char* text :
       {"[]", "7", "null", "{}", R"({"validation": 3})", R"({"validation": {"loss": "x"}})",
        R"({"validation": {"loss": 3, "per_sequence": []}})",
        R"({"validation": null, "counts": []})"}) {
    const auto result = ResultFromJson(json::parse(text));
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("damaged"));
  }
}

TEST(Records, SitesOfAnyKindAreReadOrRefused) {
  const auto row =
      SiteRow({{"site", "0.fc2.input"}, {"role", 7}, {"operand", nullptr}, {"snr_db", "x"}});
  ASSERT_TRUE(row.ok()) << row.status();
  for (const auto& [name, value] : *row) {
    if (name == "role") EXPECT_EQ(std::get<std::string>(value), "");
    if (name == "snr_db") EXPECT_TRUE(std::isnan(std::get<double>(value)));
  }
  EXPECT_FALSE(SiteRow(json::array()).ok());
  EXPECT_FALSE(SiteRow({{"site", 3}}).ok());
}

TEST(Records, SiteLogs) {
  const auto log =
      SiteLogFromText("{\"step\": 4, \"sites\": [1]}\n\n{\"step\": 8, \"sites\": []}\n");
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(log->size(), 2u);
  EXPECT_EQ(log->at(4), json::parse("[1]"));
  for (const char* text : {"{", "[]", "{\"step\": 1.5, \"sites\": []}",
                           "{\"step\": 1e999, \"sites\": []}", "{\"step\": 1, \"sites\": {}}"}) {
    EXPECT_FALSE(SiteLogFromText(text).ok()) << text;
  }
}

}  // namespace
}  // namespace qatlas::runs
