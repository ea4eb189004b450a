// Two schemes of one study in its figures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "framework/observe/csv.h"
#include "tests/framework/report/study.h"

namespace qatlas::report {
namespace {

using ::testing::HasSubstr;

// W4A4 under two schemes that differ in FC2's input: 18 dB of signal to noise there, and 40.
Study TwoSchemes(double fraction, double mixed_fraction) {
  std::string runs =
      "run,model,N,D,G,scheme,part,weight_bits,input_bits,fc2_input_bits,qat_fraction,seed,"
      "loss,delta\n";
  std::string sites = "run,role,operand,snr_db\n";
  for (int seed : {1, 2}) {
    for (int d : {1000, 2000}) {
      for (const bool mixed : {false, true}) {
        const std::string run = absl::StrCat(mixed ? "fc2-" : "w4a4-", d, "-", seed);
        absl::StrAppend(&runs, run, ",s,100,", d, ",16,", mixed ? "fc2" : "w4a4", ",both,4,4,",
                        mixed ? 8 : 4, ",", mixed ? mixed_fraction : fraction, ",", seed, ",3.",
                        seed, ",", (mixed ? .02 : .03) + 1e-6 * d + 1e-4 * seed, "\n");
        absl::StrAppend(&sites, run, ",fc2,input,", mixed ? 40 : 18, "\n");
      }
    }
  }
  Study study;
  const auto observations = observe::ParseCsv(runs, "runs");
  EXPECT_TRUE(observations.ok()) << observations.status();
  study.inputs.observations = *observations;
  const auto of_sites = observe::ParseCsv(sites, "sites");
  EXPECT_TRUE(of_sites.ok()) << of_sites.status();
  study.inputs.sites = *of_sites;
  study.Decompose();
  return study;
}

const Figure* Find(const Page& page, const std::string& id) {
  for (const Section& section : page.sections) {
    for (const Figure& figure : section.figures) {
      if (figure.id == id) return &figure;
    }
  }
  return nullptr;
}

TEST(TwoSchemesTest, LinesAndPanelsAreNotMixed) {
  const Study study = TwoSchemes(.25, .25);
  const Page page = MakePage(study.inputs);
  const Figure* data = Find(page, "delta-data-W4A4");
  ASSERT_NE(data, nullptr);
  const std::string traces = nlohmann::json(data->traces).dump();
  EXPECT_THAT(traces, HasSubstr("FC2 input A8"));
  EXPECT_THAT(traces, HasSubstr("FC2 input as all"));
  EXPECT_EQ(page.sections.front().id, "findings");
  // The median over both schemes would be 29.
  const Figure* noise = Find(page, "sites-snr_db");
  ASSERT_NE(noise, nullptr);
  std::set<double> levels;
  for (size_t row = 0; row < noise->data.rows(); ++row) {
    for (const std::string& name : noise->data.names()) {
      if (name.find("db") != std::string::npos) levels.insert(noise->data.NumberAt(row, name));
    }
  }
  EXPECT_EQ(levels, (std::set<double>{18, 40}));
}

TEST(TwoSchemesTest, SharesThatAreASeriesEachGiveNoFigure) {
  const Study apart = TwoSchemes(.25, .5);
  EXPECT_EQ(Find(MakePage(apart.inputs), "delta-fraction-W4A4"), nullptr);
}

}  // namespace
}  // namespace qatlas::report
