#include "framework/observe/import.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/observe/csv.h"

namespace qatlas::observe {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The shape of a published table: FP4 rows say 16 bits, baselines are called NoQuantizer.
Table Foreign() {
  CsvOptions options;
  options.use_schema = false;
  const auto table = ParseCsv(
      "params_nonembedding,tokens,weight_bits,quantizer,size,seed,loss\n"
      "1000000,2e9,16,NoQuantizer,1,0,3.0\n"
      "1000000,2e9,16,HadamardFP4,1,0,3.2\n"
      "1000000,2e9,4,Hadamard,1,0,3.25\n"
      "2000000,2e9,4,Hadamard,2,0,2.9\n",
      "foreign.csv", options);
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

TEST(ImportTest, MapsNamesAndExpressions) {
  ImportSpec spec;
  spec.columns = {
      {"N", "params_nonembedding"},
      {"D", "tokens"},
      {"model", "size"},
      {"scheme", "if(quantizer == 'NoQuantizer', 'fp', quantizer)"},
      {"weight_bits", "if(contains(quantizer, 'FP4'), 4, weight_bits)"},
      {"flops", "6 * params_nonembedding * tokens"},
      {"is_fp4", "contains(quantizer, 'FP4')"},
  };
  const auto table = Import(Foreign(), spec);
  ASSERT_TRUE(table.ok()) << table.status();
  // The seed is a standard column of numbers that the mapping does not name.
  EXPECT_THAT(table->names(), ElementsAre("N", "D", "model", "scheme", "weight_bits", "flops",
                                          "is_fp4", "seed", "loss"));
  EXPECT_EQ(table->TextAt(0, "scheme"), "fp");
  EXPECT_EQ(table->TextAt(3, "model"), "2");  // A standard text column, numeric in the file.
  EXPECT_THAT(*table->Numbers("weight_bits"), ElementsAre(16, 4, 4, 4));
  EXPECT_THAT(*table->Numbers("is_fp4"), ElementsAre(0, 1, 0, 0));
  EXPECT_EQ(table->NumberAt(3, "flops"), 6 * 2e6 * 2e9);
  EXPECT_EQ(table->Where(3), "foreign.csv:5");
}

TEST(ImportTest, FilterSeesTheFileAndOurColumns) {
  ImportSpec spec;
  spec.columns = {{"N", "params_nonembedding"}, {"bits", "if(contains(quantizer,'FP4'),4,16)"}};
  spec.where = "weight_bits == 16 && bits == 4";
  spec.keep_others = true;
  const auto table = Import(Foreign(), spec);
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->rows(), 1u);
  EXPECT_EQ(table->Where(0), "foreign.csv:3");
  EXPECT_EQ(table->TextAt(0, "quantizer"), "HadamardFP4");
}

TEST(ImportTest, ReportsAllProblemsAtOnce) {
  ImportSpec spec;
  spec.columns = {{"N", "parms_nonembedding"},
                  {"D", "quantizer"},
                  {"loss", "loss +"},
                  {"loss_se", "loss * quantizer"}};
  spec.where = "sed == 0";
  const std::string message(Import(Foreign(), spec).status().message());
  EXPECT_THAT(message, HasSubstr("N = parms_nonembedding: character 1: no column "
                                 "'parms_nonembedding'; did you mean 'params_nonembedding'"));
  EXPECT_THAT(message, HasSubstr("D = quantizer: foreign.csv:2: 'NoQuantizer' is no number"));
  EXPECT_THAT(message, HasSubstr("loss = loss +: character 7"));
  EXPECT_THAT(message, HasSubstr("loss_se = loss * quantizer: character 8"));
  EXPECT_THAT(message, HasSubstr("where = sed == 0: character 1: no column 'sed'; did you mean"));
}

TEST(ImportTest, SpecFromItems) {
  const auto spec = ParseImportSpec({"N = params", "where=bits == 4", "D=flop / (6*params)"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->where, "bits == 4");
  EXPECT_EQ(spec->columns[1], std::make_pair(std::string("D"), std::string("flop / (6*params)")));
  const std::string message(
      ParseImportSpec({"N", "=x", "D=", "L=a", "L=b", "where=a", "where=b"}).status().message());
  EXPECT_THAT(message,
              AllOf(HasSubstr("'N': write"), HasSubstr("'=x': write"), HasSubstr("'D=': write"),
                    HasSubstr("'L' is given twice"), HasSubstr("'where' is given twice")));
}

TEST(ImportTest, AbsentFile) {
  EXPECT_EQ(ImportFile("/no/such.csv", {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace qatlas::observe
