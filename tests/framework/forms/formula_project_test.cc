// Formulas as C++; that the projects build and give the same numbers is tested in tests/outside.
#include "framework/forms/formula_project.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/paths.h"

namespace qatlas::forms {
namespace {

using ::testing::HasSubstr;

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
            "E + k * Exp(0.6931471805599453 * (-weight_bits / c))");
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
  EXPECT_THAT(TextOf(*files, "half_life.cc"),
              HasSubstr("class HalfLife : public qatlas::LawFormula<HalfLife, 2, 3>"));
}

TEST(LawValues, RefuseNamesThatCppCannotTellApart) {
  const auto keyword = MakeFormulaLaw("L = int + int_/N^a");
  ASSERT_TRUE(keyword.ok());
  EXPECT_FALSE(LawValues(*keyword).ok());
}

}  // namespace
}  // namespace qatlas::forms
