// The verbs fit and compare as a person types them: procedures and searches, sums, formulas, and
// tables that are bad in every way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "framework/observe/csv.h"
#include "tests/framework/cli/program.h"
#include "tests/framework/fit/simulate.h"

namespace qatlas {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Output;
using testing::Qatlas;

class LabVerbs : public testing::InFolder {
 protected:
  // Writes a table and returns its path.
  std::string Write(const observe::Table& table, const std::string& name = "runs.csv") {
    EXPECT_TRUE(observe::WriteCsv(File(name), table).ok());
    return File(name);
  }
  std::string WriteText(const std::string& text, const std::string& name = "runs.csv") {
    std::ofstream(File(name)) << text;
    return File(name);
  }
};

// What is printed for people: no NaN, no infinity.
void ExpectPrintable(const Output& output) {
  for (const char* word : {"nan", "inf ", "-inf", "inf\n", "inf)"}) {
    EXPECT_THAT(output.text, Not(HasSubstr(word))) << output.text;
  }
}

const nlohmann::json& FirstFit(const nlohmann::json& comparison) {
  return comparison["ranking"][0]["fit"];
}
double Value(const nlohmann::json& fit, const std::string& name) {
  for (const auto& parameter : fit["parameters"]) {
    if (parameter["name"] == name) return parameter["value"];
  }
  ADD_FAILURE() << "no parameter " << name << " in " << fit["parameters"];
  return 0;
}

// δ of two precisions, twice apart, on a grid of sizes, budgets and groups; `labels` of theirs.
std::string TwoPrecisions(const std::string& one, const std::string& other) {
  std::string text = "N,D,G,precision,seed,delta\n";
  for (double n : {1e8, 2e8, 4e8}) {
    for (double d : {1e10, 4e10, 1.6e11}) {
      for (double g : {32., 128., 1024.}) {
        for (double factor : {1., 2.}) {
          const double wiggle = 1 + .01 * std::sin(n / 1e7 + d / 1e9 + g + factor);
          absl::StrAppend(&text, n, ",", d, ",", g, ",", factor == 1 ? one : other, ",0,",
                          factor * .16 * std::pow(d, .07) * std::pow(std::log2(g), .8) /
                              std::pow(n, .22) * wiggle,
                          "\n");
        }
      }
    }
  }
  return text;
}

TEST_F(LabVerbs, MixturesAreSaid) {
  const std::string apart = WriteText(TwoPrecisions("W4A4", "W3A3"), "apart.csv");
  const std::string verb = "fit " + apart + " --bootstraps 0 --law qat-unified";
  const Output mixed = Qatlas(verb);
  EXPECT_EQ(mixed.code, 0) << mixed.text;
  EXPECT_THAT(mixed.text, HasSubstr("A mixture is fitted: runs differ by precision"));
  EXPECT_THAT(mixed.text, HasSubstr("--per NAME=precision"));
  EXPECT_THAT(Qatlas(verb + " --per k=precision").text, Not(HasSubstr("mixture")));
  EXPECT_THAT(Qatlas(verb + " --map \"where=precision == 'W4A4'\"").text,
              Not(HasSubstr("mixture")));
  // Under one label nothing tells them apart but the result.
  const Output alike = Qatlas("fit " + WriteText(TwoPrecisions("W4A4", "W4A4"), "alike.csv") +
                              " --bootstraps 0 --law qat-unified");
  EXPECT_THAT(alike.text, HasSubstr("27 sets of rows agree in all that the table tells"));
}

// Laws that read bits are fitted to both kinds of rows, others to full precision alone.
TEST_F(LabVerbs, LawsOfPrecisionSeeQuantizedRows) {
  std::string text = "N,D,scheme,weight_bits,input_bits,seed,loss\n";
  for (double n : {1e8, 2e8, 4e8, 8e8}) {
    for (double d : {1e10, 4e10, 1.6e11}) {
      for (double bits : {16., 4., 3.}) {
        const double share = bits == 16 ? 1 : 1 - std::exp(-bits / 2.5);
        absl::StrAppend(&text, n, ",", d, ",", bits == 16 ? "fp,," : absl::StrCat("q,", bits, ","),
                        ",0,",
                        1.8 + 480 * std::pow(n * share, -.35) + 2000 * std::pow(d, -.37) +
                            1e-4 * std::sin(n / 1e7 + d / 1e9 + bits),
                        "\n");
      }
    }
  }
  const std::string verb = "fit " + WriteText(text) + " --target loss --bootstraps 0 --law ";
  const Output precision = Qatlas(verb + "precision --json");
  ASSERT_EQ(precision.code, 0) << precision.text;
  EXPECT_EQ(FirstFit(precision.json())["rows"], 36);
  EXPECT_NEAR(Value(FirstFit(precision.json()), "gamma_w"), 2.5, .1);
  const Output plain = Qatlas(verb + "chinchilla");
  EXPECT_THAT(plain.text, HasSubstr("chinchilla: 12 rows"));
  EXPECT_THAT(plain.text, HasSubstr("24 quantized rows were left out"));
}

TEST_F(LabVerbs, NamedProcedureSearchesEveryStart) {
  const std::string fit = "fit " + Write(testing::ChinchillaRuns(30, .003, 7)) +
                          " --target loss --law chinchilla --bootstraps 0 --json --loss ";
  const Output hoffmann = Qatlas(fit + "hoffmann");
  ASSERT_EQ(hoffmann.code, 0) << hoffmann.text;
  const nlohmann::json json = hoffmann.json();
  EXPECT_EQ(FirstFit(json)["search"]["starts"], 4500);
  EXPECT_EQ(FirstFit(json)["search"]["searched"], 4500);
  EXPECT_EQ(FirstFit(json)["loss"], "log-huber(0.001)");
  const Output plain = Qatlas(fit + "log-huber");
  EXPECT_LT(FirstFit(plain.json())["search"]["searched"].get<int>(), 100);
  EXPECT_NEAR(
      FirstFit(plain.json())["objective"].get<double>() / FirstFit(json)["objective"].get<double>(),
      1, 1e-9);
  const Output wrong = Qatlas(fit + "hofman");
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.text, HasSubstr("hoffmann"));
}

TEST_F(LabVerbs, EverySearchEndsInTheSameOptimum) {
  const std::string fit = "fit " + Write(testing::ChinchillaRuns(60, .003, 7)) +
                          " --target loss --law chinchilla --loss log-least-squares --bootstraps 0 "
                          "--json --search ";
  const double own = FirstFit(Qatlas(fit + "own").json())["objective"];
  for (const char* search : {"projected", "every-start", "lbfgs", "slsqp", "mlsl", "crs2"}) {
    const Output output = Qatlas(fit + search);
    ASSERT_EQ(output.code, 0) << output.text;
    EXPECT_NEAR(FirstFit(output.json())["objective"].get<double>() / own, 1, 1e-6) << search;
  }
  const Output wrong = Qatlas(fit + "lbgfs");
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.text, HasSubstr("did you mean 'lbfgs'"));
}

TEST_F(LabVerbs, IntervalsAndResamplingAreChosen) {
  const std::string fit = "fit " + Write(testing::ChinchillaRuns(60, .003, 7)) +
                          " --target loss --law chinchilla --json";
  const auto interval = [&](const std::string& options) {
    const Output output = Qatlas(fit + " --bootstraps 50" + options);
    EXPECT_EQ(output.code, 0) << output.text;
    return FirstFit(output.json())["parameters"][2]["interval"];
  };
  const auto profile = interval("");
  EXPECT_NE(profile, interval(" --intervals covariance"));
  EXPECT_NE(profile, interval(" --sandwich"));
  const Output residuals = Qatlas(fit + " --bootstraps 50 --resample residuals");
  EXPECT_THAT(residuals.text, HasSubstr("Bootstraps draw residuals"));
  const Output groups = Qatlas(fit + " --bootstraps 50 --resample groups");
  EXPECT_EQ(groups.code, 3) << "there is no seed";
  EXPECT_THAT(groups.text, HasSubstr("seed"));
  const Output exact = Qatlas(fit + " --exact-noise");
  EXPECT_EQ(exact.code, 3);
  EXPECT_THAT(exact.text, HasSubstr("noise"));
}

TEST_F(LabVerbs, SumsAreFittedAtOnceOrInStages) {
  const std::string runs = Write(testing::PairedRuns(.003, .03, 5));
  const std::string fit =
      "fit " + runs + " --target loss --law 'chinchilla + qat-unified' --bootstraps 0 --json";
  const Output joint = Qatlas(fit);
  ASSERT_EQ(joint.code, 0) << joint.text;
  EXPECT_EQ(FirstFit(joint.json())["rows"], 64);
  const Output stages = Qatlas(fit + " --stages");
  ASSERT_EQ(stages.code, 0) << stages.text;
  const nlohmann::json json = stages.json();
  EXPECT_EQ(json["stages"]["base"]["rows"], 16);
  EXPECT_EQ(json["stages"]["delta"]["rows"], 48);
  EXPECT_EQ(json["rows"], 64);
  EXPECT_NEAR(Value(json, "gammaN"), .2186, .03);
  EXPECT_EQ(Value(json, "gammaN"), Value(json["stages"]["delta"], "gammaN"));
  EXPECT_EQ(Value(json, "alpha"), Value(json["stages"]["base"], "alpha"));
  const Output text = Qatlas(
      "fit " + runs + " --target loss --law 'chinchilla + qat-unified' --bootstraps 0 --stages");
  EXPECT_THAT(text.text, HasSubstr("δ on pairs: 48 rows"));
  ExpectPrintable(text);

  // Held, tied, and one value for each category; names reach their stage.
  const Output shared = Qatlas(fit +
                               " --stages --fix E=1.8172 --tie beta=alpha --fix gammaG=0.7779 "
                               "--bounds gammaD=0..0.2 --per k=precision");
  ASSERT_EQ(shared.code, 0) << shared.text;
  EXPECT_EQ(Value(shared.json(), "E"), 1.8172);
  EXPECT_EQ(Value(shared.json(), "beta"), Value(shared.json(), "alpha"));
  EXPECT_EQ(Value(shared.json(), "gammaG"), .7779);
  EXPECT_GT(Value(shared.json(), "k[W4A4]"), 0);
  const Output jointly = Qatlas(fit + " --tie gammaN=alpha");
  ASSERT_EQ(jointly.code, 0) << jointly.text;
  EXPECT_EQ(Value(FirstFit(jointly.json()), "gammaN"), Value(FirstFit(jointly.json()), "alpha"));
  const Output across = Qatlas(fit + " --stages --tie gammaN=alpha");
  EXPECT_EQ(across.code, 3);
  EXPECT_THAT(across.text, HasSubstr("fit both at once"));
  const Output single = Qatlas("fit " + runs + " --target loss --law chinchilla --stages");
  EXPECT_EQ(single.code, 3);
  EXPECT_THAT(single.text, HasSubstr("the sum of a law of the loss and one of delta"));

  // A comparison ranks each stage by itself.
  const Output compared =
      Qatlas("compare " + runs +
             " --target loss --stages --bootstraps 0 --no-evidence --json --law "
             "'chinchilla + qat-unified,chinchilla + qat-no-data'");
  ASSERT_EQ(compared.code, 0) << compared.text;
  ASSERT_EQ(compared.json().size(), 2u);
  EXPECT_EQ(compared.json()[0]["ranking"].size(), 1u);
  EXPECT_EQ(compared.json()[1]["ranking"].size(), 2u);
  EXPECT_EQ(compared.json()[1]["ranking"][0]["name"], "qat-unified");
}

TEST_F(LabVerbs, RecipesSayTheSame) {
  Write(testing::PairedRuns(.003, .03, 5));
  const std::string recipe = WriteText(
      "[observations]\nfiles = ['" + File("runs.csv") + "']\n" +
          "[[fit]]\nname = 'stages'\ntarget = 'loss'\nlaws = ['chinchilla + qat-unified']\n"
          "stages = true\nbootstraps = 0\n"
          "[[fit]]\nname = 'chinchilla'\ntarget = 'loss'\nlaws = ['chinchilla']\n"
          "loss = 'hoffmann'\nsearch = 'projected'\nintervals = 'covariance'\nbootstraps = 0\n",
      "lab.toml");
  const Output output = Qatlas("fit " + recipe + " --json");
  ASSERT_EQ(output.code, 0) << output.text;
  const nlohmann::json json = output.json();
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["stages"]["delta"]["rows"], 48);
  EXPECT_EQ(FirstFit(json[1])["search"]["searched"], 4500);
  const Output report = Qatlas("report " + recipe + " -o " + File("page"));
  ASSERT_EQ(report.code, 0) << report.text;
  EXPECT_TRUE(std::filesystem::exists(File("page/fits/stages-delta.json")));
  EXPECT_TRUE(std::filesystem::exists(File("page/report/report.html")));
}

// --- Bad input: an answer or a clear refusal
// ------------------------------------------------------

TEST_F(LabVerbs, TooFewPoints) {
  for (const int rows : {0, 1, 3, 5}) {
    const Output output =
        Qatlas("fit " + Write(testing::ChinchillaRuns(20, .01, 3).Filter([&](size_t row) {
                 return row < size_t(rows);
               })) +
               " --target loss --law chinchilla");
    if (rows == 5) {  // as many as parameters: a fit that determines nothing
      EXPECT_THAT(output.text, HasSubstr("NOT IDENTIFIABLE")) << output.text;
    } else {
      EXPECT_EQ(output.code, 3) << output.text;
      EXPECT_THAT(output.text, rows == 0 ? HasSubstr("no row") : HasSubstr("free parameters"));
    }
    ExpectPrintable(output);
  }
}

TEST_F(LabVerbs, AConstantCovariate) {
  const observe::Table table =
      testing::QatRuns("w4a4", .05, 3).Filter([](size_t row) { return row % 5 == 0; });
  const Output output = Qatlas("fit " + Write(table) + " --law qat-unified");
  EXPECT_EQ(output.code, 3) << output.text;
  EXPECT_THAT(output.text, HasSubstr("G is 32 in every row"));
  const Output held = Qatlas("fit " + File("runs.csv") + " --law qat-unified --fix gammaG=0.7779");
  EXPECT_EQ(held.code, 0) << held.text;
}

TEST_F(LabVerbs, LossesBelowTheFloor) {
  const Output output = Qatlas("fit " + Write(testing::ChinchillaRuns(40, .01, 3)) +
                               " --target loss --law chinchilla --fix E=5");
  EXPECT_TRUE(output.code == 3 || output.text.find("NOT IDENTIFIABLE") != std::string::npos)
      << output.text;
  ExpectPrintable(output);
}

TEST_F(LabVerbs, DeltasOfZeroAndLess) {
  observe::Table table = testing::QatRuns("w4a4", .05, 3);
  ASSERT_TRUE(table.SetNumber(7, "delta", -.001).ok());
  ASSERT_TRUE(table.SetNumber(9, "delta", 0).ok());
  const std::string fit =
      "fit " + Write(table) + " --law qat-unified --bootstraps 0 --non-positive ";
  const Output refuse = Qatlas(fit + "refuse");
  EXPECT_EQ(refuse.code, 3);
  EXPECT_THAT(refuse.text, HasSubstr("runs.csv:9"));
  const Output drop = Qatlas(fit + "drop");
  EXPECT_EQ(drop.code, 0) << drop.text;
  EXPECT_THAT(drop.text, HasSubstr("78 rows"));
  EXPECT_THAT(drop.text, HasSubstr("2 rows with delta of 0 or less were left out"));
  const Output linear = Qatlas(fit + "linear");
  EXPECT_EQ(linear.code, 0) << linear.text;
  EXPECT_THAT(linear.text, HasSubstr("80 rows"));
  EXPECT_THAT(linear.text, HasSubstr("not on its logarithm"));
}

TEST_F(LabVerbs, ExactDuplicates) {
  observe::Table table = testing::ChinchillaRuns(40, .01, 3);
  const observe::Table once = table;
  ASSERT_TRUE(table.AppendTable(once).ok());
  const Output output =
      Qatlas("fit " + Write(table) + " --target loss --law chinchilla --bootstraps 0");
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("40 rows"));
  EXPECT_THAT(output.text, HasSubstr("40 "));
  EXPECT_THAT(output.text, HasSubstr("note: "));
}

TEST_F(LabVerbs, WildOutliers) {
  observe::Table table = testing::ChinchillaRuns(80, .003, 9);
  ASSERT_TRUE(table.SetNumber(5, "loss", 1e30).ok());
  ASSERT_TRUE(table.SetNumber(6, "loss", 1e-30).ok());
  const Output output =
      Qatlas("fit " + Write(table) + " --target loss --law chinchilla --bootstraps 0 --json");
  ASSERT_EQ(output.code, 0) << output.text;
  EXPECT_NEAR(Value(FirstFit(output.json()), "alpha"), .3478, .05);
  const Output said = Qatlas("fit " + File("runs.csv") + " --target loss --law chinchilla");
  EXPECT_THAT(said.text, HasSubstr("2 runs lie more than 10 robust standard deviations off"));
  EXPECT_THAT(said.text, HasSubstr("runs.csv:7"));
  const Output profile = Qatlas("observations " + File("runs.csv"));
  EXPECT_EQ(profile.code, 0) << profile.text;
  EXPECT_THAT(profile.text, HasSubstr("1e+30")) << "rows that stand apart are listed";
  ExpectPrintable(profile);
  const Output compared = Qatlas("compare " + File("runs.csv") +
                                 " --target loss --law chinchilla,chinchilla-tied --bootstraps 0");
  EXPECT_EQ(compared.code, 0) << compared.text;
  ExpectPrintable(compared);
}

TEST_F(LabVerbs, PrecisionsLabelledAlike) {
  const std::string runs = WriteText(
      "N,D,seed,quantizer,weight_bits,loss\n"
      "1e8,1e9,1,FP4,16,3.1\n1e8,1e9,1,int4,4,3.2\n1e8,1e9,1,none,16,3.0\n"
      "1e8,1e9,1,none,16,3.3\n");
  const Output output = Qatlas("observations " + runs);
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("FP4"));
  EXPECT_THAT(output.text, HasSubstr("16"));
}

TEST_F(LabVerbs, RowsWithoutAPair) {
  const std::string runs = WriteText(
      "model,N,D,seed,scheme,precision,weight_bits,G,loss\n"
      "s,1e8,1e9,1,fp,fp,,,3.0\ns,1e8,1e9,1,w4,W4A4,4,32,3.2\ns,1e8,2e9,1,w4,W4A4,4,32,3.1\n");
  const Output output = Qatlas("fit " + runs + " --law qat-unified");
  EXPECT_EQ(output.code, 3) << output.text;
  EXPECT_THAT(output.text, HasSubstr("1 row has no full-precision pair"));
  const Output profile = Qatlas("observations " + runs);
  EXPECT_THAT(profile.text, HasSubstr("runs.csv:4")) << "the row and why it has none";
}

TEST_F(LabVerbs, FormsOfTwentyParametersOnThirtyRows) {
  observe::Table table = testing::ChinchillaRuns(30, .01, 3);
  std::string formula = "L = E";
  for (int i = 0; i < 10; ++i) {
    formula += " + A" + std::to_string(i) + "/N^a" + std::to_string(i);
  }
  const Output output =
      Qatlas("fit " + Write(table) + " --target loss --bootstraps 0 --law '" + formula + "'");
  EXPECT_TRUE(output.code == 3 || output.text.find("NOT IDENTIFIABLE") != std::string::npos)
      << output.text;
  ExpectPrintable(output);
}

TEST_F(LabVerbs, SizesThatDoNotVaryFreely) {
  // All at D = 100 N: the five parameters cannot be told.
  observe::Table table = testing::ChinchillaRuns(40, .003, 3);
  for (size_t row = 0; row < table.rows(); ++row) {
    ASSERT_TRUE(table.SetNumber(row, "D", 100 * table.NumberAt(row, "N")).ok());
  }
  testing::AddTarget(&table, *testing::Law("chinchilla"),
                     {std::begin(testing::kBesiroglu), std::end(testing::kBesiroglu)}, "loss", .003,
                     5);
  const Output output = Qatlas("fit " + Write(table) + " --target loss --law chinchilla");
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("NOT IDENTIFIABLE"));
  EXPECT_THAT(output.text, Not(HasSubstr("95% "))) << "no interval is claimed";
  const Output plan = Qatlas("plan at N=1B D=1T --table " + File("runs.csv") + " --law chinchilla");
  EXPECT_EQ(plan.code, 3) << plan.text;
  EXPECT_THAT(plan.text, HasSubstr("not identifiable"));
}

// Runs computed from a law leave no residuals: the fit is finished and first in its ranking.
TEST_F(LabVerbs, ALawThatMadeTheTableExactlyIsFittedAndFirst) {
  const std::string table = Write(testing::QatRuns("w4a4", 0, 1));
  const Output fit = Qatlas("fit " + table + " --law qat-unified --bootstraps 20");
  EXPECT_EQ(fit.code, 0) << fit.text;
  EXPECT_THAT(fit.text, HasSubstr("0.1582"));
  ExpectPrintable(fit);
  const Output ranking =
      Qatlas("compare " + table + " --law qat-no-data,qat-unified,qat-size-only --bootstraps 0");
  EXPECT_EQ(ranking.code, 0) << ranking.text;
  EXPECT_THAT(ranking.text, HasSubstr("qat-unified reproduces these 80 runs exactly"));
  EXPECT_THAT(ranking.text, Not(HasSubstr("not fitted")));
  ExpectPrintable(ranking);
}

}  // namespace
}  // namespace qatlas
