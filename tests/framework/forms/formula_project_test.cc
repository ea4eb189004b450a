// Formulas as C++; that the projects build and give the same numbers is tested in tests/outside.
#include "framework/forms/formula_project.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace qatlas::forms {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Cpp(const std::string& text) {
  const auto law = MakeFormulaLaw(text);
  EXPECT_TRUE(law.ok()) << law.status();
  return FormulaAsCpp(law->text, law->form->Spec());
}

TEST(FormulaAsCpp, IsWhatOneWouldWrite) {
  EXPECT_EQ(Cpp("L = E + A/N^alpha + B/D^beta"), "E + A * Pow(N, -alpha) + B * Pow(D, -beta)");
  EXPECT_EQ(Cpp("delta = k * D^g * (log2 G)^h / N^n"),
            "k * Pow(D, g) * Pow(Log2(G), h) * Pow(N, -n)");
  EXPECT_EQ(Cpp("L = a - (b - c*N)"), "a - (b - c * N)");
  EXPECT_EQ(Cpp("L = a/(b*N)/2"), "a / (b * N) / 2.0");
  EXPECT_EQ(Cpp("L = E + k*2^(-weight_bits/c)"),
            "E + k * Exp(qatlas::vector_math::kLn2 * (-weight_bits / c))");
  EXPECT_EQ(Cpp("L = a + b*(N/1e9)^-c"),
            "a + b * Pow(qatlas::formula::Covariate::Of(N / 1e+09), -c)");
  EXPECT_EQ(Cpp("L = a*N^2 + b*N^-1 + c*sqrt(N) + d*log(N)"),
            "a * N * N + b * 1.0 / N + c * std::sqrt(double(N)) + d * Log(N)");
}

const std::filesystem::path kTemplateFolder =
    std::filesystem::path(paths::Source()) / "sdk/template";

std::string TextOf(const std::vector<ProjectFile>& files, const std::string& path) {
  for (const ProjectFile& file : files) {
    if (file.path == path) return file.text;
  }
  ADD_FAILURE() << "no file " << path;
  return "";
}

TEST(LawValues, FillTheTemplateOfALaw) {
  const auto law = MakeFormulaLaw("delta = k * N^-a * (1 - exp(-weight_bits/g))");
  ASSERT_TRUE(law.ok());
  auto values = NameValues("law", "half-life");
  ASSERT_TRUE(values.ok());
  const auto of_formula = LawValues(*law);
  ASSERT_TRUE(of_formula.ok()) << of_formula.status();
  values->insert(of_formula->begin(), of_formula->end());
  values->insert({{"version", "1.2.3"}, {"series", "1.2"}});
  const auto files = FillTemplate({kTemplateFolder / "law", kTemplateFolder / "common"}, *values);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(TextOf(*files, "CMakeLists.txt"),
              HasSubstr("qatlas_add_plugin(law half-life SOURCES half_life.cc)"));
  const std::string source = TextOf(*files, "half_life.cc");
  EXPECT_THAT(source, HasSubstr("class HalfLife : public qatlas::LawFormula<HalfLife, 2, 3>"));
  // Rows without bits are not quantized, and then g is idle.
  EXPECT_THAT(source, HasSubstr("Size(),\n        WeightBits()"));
  EXPECT_THAT(source, HasSubstr("OnlyWith(\"weight_bits\",\n         {.name = \"g\""));
  EXPECT_THAT(source, Not(HasSubstr("OnlyWith(\"weight_bits\",\n         {.name = \"a\"")));
  // The table that the README names is there, with values of the formula.
  const std::string runs = TextOf(*files, "runs.csv");
  EXPECT_THAT(runs, StartsWith("N,weight_bits,delta\n1e+07,2,"));
  EXPECT_EQ(std::count(runs.begin(), runs.end(), '\n'), 1 + 4 * 4);
  EXPECT_THAT(TextOf(*files, "README.md"), HasSubstr("fit runs.csv --target delta"));
}

TEST(LawValues, BitsWithoutALimitMayNotBeMissing) {
  const auto law = MakeFormulaLaw("delta = k * N^-a * weight_bits^-g + m * 2^(-input_bits)");
  ASSERT_TRUE(law.ok());
  const auto values = LawValues(*law);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(values->at("covariate_specs"),
              AllOf(HasSubstr("{.name = \"weight_bits\""), HasSubstr("InputBits()")));
  EXPECT_THAT(values->at("parameter_specs"), HasSubstr("OnlyWith(\"input_bits\""));
}

TEST(LawValues, NoLineIsLong) {
  const auto law = MakeFormulaLaw(
      "delta = D^d / N^a * (log2 G)^g * (w * 2^(-c*weight_bits) + x * 2^(-c*input_bits)) + "
      "first_term_with_a_long_name * second_term_with_a_long_name^(-third_term_with_a_long_name)");
  ASSERT_TRUE(law.ok()) << law.status();
  auto values = NameValues("law", "rounding-noise");
  ASSERT_TRUE(values.ok());
  const auto of_formula = LawValues(*law);
  ASSERT_TRUE(of_formula.ok()) << of_formula.status();
  values->insert(of_formula->begin(), of_formula->end());
  values->insert({{"version", "1.2.3"}, {"series", "1.2"}});
  const auto files = FillTemplate({kTemplateFolder / "law", kTemplateFolder / "common"}, *values);
  ASSERT_TRUE(files.ok()) << files.status();
  for (const char* name : {"rounding_noise.cc", "rounding_noise_test.cc"}) {
    for (const absl::string_view line : absl::StrSplit(TextOf(*files, name), '\n')) {
      EXPECT_LE(line.size(), 100) << name << ": " << line;
    }
  }
}

TEST(LawValues, RefuseNamesThatCppCannotTellApart) {
  const auto keyword = MakeFormulaLaw("L = int + int_/N^a");
  ASSERT_TRUE(keyword.ok());
  EXPECT_FALSE(LawValues(*keyword).ok());
}

}  // namespace
}  // namespace qatlas::forms
