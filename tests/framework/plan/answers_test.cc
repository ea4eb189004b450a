// Answers from published constants, held against closed forms and the figures derived from the
// papers' tables.
#include <cmath>

#include "framework/compare/json.h"
#include "framework/fit/json.h"
#include "framework/plan/allocate.h"
#include "framework/plan/choices.h"
#include "framework/plan/crossings.h"
#include "tests/framework/plan/worlds.h"

namespace qatlas::plan {
namespace {

using testing::At;
using testing::Chen;
using testing::Get;
using testing::Word;

TEST(LossAt, PublishedConstantsGiveThePapersErrors) {
  const Chen chen("w4a4");
  const double expected[] = {.0441, .0508, .0573, .0636};
  const double groups[] = {32, 64, 128, 256};
  for (int i = 0; i < 4; ++i) {
    const auto answer = LossAt(chen.world, {At(594.54e6, 100e9, groups[i])});
    ASSERT_TRUE(answer.ok()) << answer.status();
    const Row& row = answer->rows[0];
    EXPECT_NEAR(Get(row, "delta").value, expected[i], 6e-5);
    EXPECT_NEAR(Get(row, "full-precision loss").value, 2.7408, 6e-5);
    EXPECT_NEAR(Get(row, "loss").value, 2.7408 + expected[i], 1.2e-4);
    EXPECT_FALSE(Get(row, "delta").interval.has_value()) << "nothing was published to make one of";
  }
}

TEST(LossAt, EffectiveParametersFollowTheClosedForm) {
  const Chen chen("w4a4");
  for (const auto& [g, expected] : {std::pair{32., .578}, {256., .466}}) {
    const auto answer = LossAt(chen.world, {At(70e9, 15e12, g)});
    ASSERT_TRUE(answer.ok()) << answer.status();
    const double share = Get(answer->rows[0], "effective share of N").value;
    EXPECT_NEAR(share, expected, 6e-4);
    const double delta = Get(answer->rows[0], "delta").value;
    const double a = 237.7042, alpha = .3022;
    EXPECT_NEAR(share, std::pow(a / (a + delta * std::pow(70e9, alpha)), 1 / alpha), 1e-9);
  }
}

TEST(ComputeOptimal, FullPrecisionMeetsTheClosedForm) {
  auto laws = LawsFromPreset(testing::Laws(), testing::Forms(), "chinchilla:besiroglu-2024");
  ASSERT_TRUE(laws.ok()) << laws.status();
  const auto answer = ComputeOptimal({&(*laws)[0], nullptr, {}}, {}, 1e21);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->rows.size(), 1u);
  const double a = 482.01, alpha = .3478, b = 2085.43, beta = .3658;
  const double g = std::pow(alpha * a / (beta * b), 1 / (alpha + beta));
  const double n = g * std::pow(1e21 / 6, beta / (alpha + beta));
  EXPECT_NEAR(Get(answer->rows[0], "N").value / n, 1, 1e-6);
  EXPECT_NEAR(Get(answer->rows[0], "D").value / (1e21 / 6 / n), 1, 1e-6);
}

TEST(ComputeOptimal, QatMovesTheOptimumToLargerModels) {
  const Chen chen("w4a4");
  const Point at = {{{"G", 128}}, {}};
  const auto answer = ComputeOptimal(chen.world, at, 1e21);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->rows.size(), 2u);
  const Row& quantized = answer->rows[1];
  // δ falls with N and rises with D, so parameters are worth more than before.
  EXPECT_GT(Get(quantized, "N over the full-precision optimum").value, 1.0);
  // Stationarity: a step to either side at the same compute is worse.
  const double n = Get(quantized, "N").value, best = Get(quantized, "loss").value;
  for (const double factor : {.98, 1.02}) {
    const auto beside = LossAt(chen.world, {At(n * factor, 1e21 / (6 * n * factor), 128)});
    ASSERT_TRUE(beside.ok());
    EXPECT_GT(Get(beside->rows[0], "loss").value, best);
  }
  // Overhead leaves less to train with.
  const auto dearer = ComputeOptimal(chen.world, at, 1e21, {6, .5});
  ASSERT_TRUE(dearer.ok());
  EXPECT_GT(Get(dearer->rows[1], "loss").value, best);
  EXPECT_NEAR(Get(dearer->rows[1], "N").value * Get(dearer->rows[1], "D").value * 6 * 1.5, 1e21,
              1e15);
}

TEST(Crossing, WeightErrorOvertakesInputErrorWhereTheClosedFormSays) {
  const struct {
    const char* inputs;
    double n, expected;
  } cases[] = {{"w16a4", 74.32e6, 1.6e11},
               {"w16a4-fc2-8bit", 74.32e6, 3.5e9},
               {"w16a4", 594.54e6, 2.9e12},
               {"w16a4-fc2-8bit", 594.54e6, 9.6e10}};
  const Chen weights("w4a16");
  for (const auto& c : cases) {
    const Chen inputs(c.inputs);
    const auto answer =
        Crossing(*weights.world.delta, *inputs.world.delta, {{{"N", c.n}, {"G", 32}}, {}});
    ASSERT_TRUE(answer.ok()) << answer.status();
    const double star = Get(answer->rows[0], "D*").value;
    EXPECT_NEAR(star / c.expected, 1, .03) << c.inputs << " " << c.n;
    const auto& w = weights.world.delta->values;  // k, gammaN, gammaD, gammaG
    const auto& a = inputs.world.delta->values;
    const double closed = std::pow(
        a[0] / w[0] * std::pow(5, a[3] - w[3]) * std::pow(c.n, w[1] - a[1]), 1 / (w[2] - a[2]));
    EXPECT_NEAR(star / closed, 1, 1e-8);
    EXPECT_EQ(Word(answer->rows[0], "larger_above"), "qat-unified:w4a16");
  }
}

TEST(Crossing, SaysWhichIsLargerWhereThereIsNone) {
  const Chen weights("w4a16"), inputs("w16a4");
  const auto answer = Crossing(*weights.world.delta, *inputs.world.delta,
                               {{{"N", 74.32e6}, {"G", 32}}, {}}, {"D", 1e9, 1e10});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(Get(answer->rows[0], "D*").none.empty());
  EXPECT_EQ(Word(answer->rows[0], "larger"), "qat-unified:w16a4 throughout");
  EXPECT_EQ(ToJson(*answer)["answer"][0]["quantities"][0]["value"], nullptr);
}

TEST(MixedPays, BreakEvenCostIsTheSizeThatBuysTheSameLoss) {
  const Chen plain("w4a4"), finer("w4a4-fc2-8bit");
  World mixed = finer.world;
  mixed.loss = plain.world.loss;
  const Point at = At(594.54e6, 100e9, 256);
  const auto answer = MixedPays(plain.world, mixed, at, .05);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const Row& row = answer->rows[0];
  const double even = Get(row, "break-even cost").value;
  ASSERT_GT(even, 0);
  const auto bought = LossAt(plain.world, {At(594.54e6 * (1 + even), 100e9, 256)});
  const auto finer_loss = LossAt(mixed, {at});
  ASSERT_TRUE(bought.ok() && finer_loss.ok());
  EXPECT_NEAR(Get(bought->rows[0], "loss").value, Get(finer_loss->rows[0], "loss").value, 1e-9);
  // The paper's constants give 31 to 40% at G = 256.
  EXPECT_GT(Get(row, "gain as a share of delta").value, .31);
  EXPECT_LT(Get(row, "gain as a share of delta").value, .40);
  EXPECT_EQ(Word(row, "verdict").substr(0, 4), "pays");
  const auto dear = MixedPays(plain.world, mixed, at, even * 1.1);
  ASSERT_TRUE(dear.ok());
  EXPECT_EQ(Word(dear->rows[0], "verdict").substr(0, 12), "does not pay");
}

TEST(Parity, SizeAtToleranceAndAtEqualBytes) {
  const Chen chen("w4a16");
  ParityOptions parity;
  parity.tolerance = .02;
  parity.bits = 4.5;
  const auto answer = Parity(chen.world, {{{"D", 100e9}, {"G", 32}}, {}}, parity);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const double n = Get(answer->rows[0], "N").value;
  const auto& q = chen.world.delta->values;
  EXPECT_NEAR(q[0] * std::pow(100e9, q[2]) * std::pow(5, q[3]) / std::pow(n, q[1]), .02, 1e-9);
  // Four bits hold more than three times the parameters in the same bytes; it is better already
  // for the smallest sizes or from some size on, never the reverse.
  const Quantity& bytes = Get(answer->rows[1], "N");
  EXPECT_TRUE(bytes.none.empty() || bytes.none.find("better") != std::string::npos) << bytes.none;
}

TEST(Cheapest, TakesTheFewestBitsThatMeetTheTarget) {
  const Chen w4a4("w4a4"), w4a16("w4a16");
  std::vector<Choice> choices;
  for (const Chen* chen : {&w4a4, &w4a16}) {
    for (const double g : {32., 64., 128., 256.}) {
      Choice choice;
      choice.name = chen->world.delta->name + ", G=" + std::to_string(int(g));
      choice.world = chen->world;
      choice.at.numbers["G"] = choice.group = g;
      choice.weight_bits = *WeightBitsOf(chen->world.delta->name);
      choices.push_back(choice);
    }
  }
  const Point at = {{{"N", 594.54e6}, {"D", 100e9}}, {}};
  const auto answer = Cheapest(choices, at, {0, .052});
  ASSERT_TRUE(answer.ok()) << answer.status();
  // Least bits with δ <= .052, found the plain way.
  double fewest = 1e9;
  for (const Choice& choice : choices) {
    Point point = at;
    point.numbers["G"] = choice.group;
    const auto value = LossAt(choice.world, {point});
    if (Get(value->rows[0], "delta").value <= .052) {
      fewest = std::min(fewest, BitsPerElement(choice));
    }
  }
  EXPECT_EQ(Get(answer->rows[0], "bits per element").value, fewest);
  EXPECT_EQ(Word(answer->rows[0], "met"), "by the estimate") << "no interval, nothing is sure";
  const auto never = Cheapest(choices, at, {0, 1e-4});
  EXPECT_EQ(never.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(UnderMemory, RanksByLossAndCountsScaleBits) {
  const Chen w4a4("w4a4", .05);
  Choice four;
  four.name = "w4a4, G=128";
  four.world = w4a4.world;
  four.at.numbers["G"] = four.group = 128;
  four.weight_bits = 4;
  Choice full;
  full.name = "full precision";
  full.world = {w4a4.world.loss, nullptr, {}};
  full.full_precision = true;
  full.weight_bits = 16;
  const auto answer = UnderMemory({full, four}, 1e9, 0, {0, 20, 0});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->rows[0].label, "w4a4, G=128");
  EXPECT_DOUBLE_EQ(Get(answer->rows[0], "N").value, 8e9 / 4.125);
  EXPECT_DOUBLE_EQ(Get(answer->rows[1], "N").value, 5e8);
  EXPECT_EQ(Get(answer->rows[0], "share of draws in which it is best").value, 1);
  ASSERT_TRUE(Get(answer->rows[0], "loss").interval.has_value());
  EXPECT_LT(Get(answer->rows[0], "loss").interval->low, Get(answer->rows[0], "loss").value);
}

TEST(QatSplit, OptimalFractionOfThePaper) {
  auto laws = LawsFromPreset(testing::Laws(), testing::Forms(), "optimal-fraction:dremov-2025");
  ASSERT_TRUE(laws.ok()) << laws.status();
  const auto answer = QatSplit((*laws)[0], {{{"N", 86e6}, {"D", 2.3e9}, {"weight_bits", 4}}, {}});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_NEAR(Get(answer->rows[0], "quantized share").value, .1843, 1e-4);
  EXPECT_NEAR(Get(answer->rows[0], "tokens quantized").value, .1843 * 2.3e9, 5e5);
}

TEST(Fits, DrawsAgreeWithTheFitsOwnIntervals) {
  const observe::Table table = testing::QatRuns("w4a4", .03, 7);
  const auto problem = testing::Pose("qat-unified", table, "log-least-squares");
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const auto law = LawFromFit(*fit, {});
  ASSERT_TRUE(law.ok()) << law.status();
  ASSERT_EQ(law->DrawCount(), 2000);
  std::vector<double> gamma;
  for (const auto& draw : law->draws) gamma.push_back(draw[1]);
  std::sort(gamma.begin(), gamma.end());
  const fit::Interval& own = testing::Find(*fit, "gammaN").interval;
  const double width = own.high - own.low;
  EXPECT_NEAR(fit::Quantile(gamma, .025), own.low, .06 * width);
  EXPECT_NEAR(fit::Quantile(gamma, .975), own.high, .06 * width);
  EXPECT_NEAR(law->noise.scale, .03, .006);
  EXPECT_EQ(law->fitted.at("N").high, 594.54e6);

  // Inside the range there is nothing to warn of; ten times beyond there is.
  const World world = {nullptr, &*law, {}};
  const auto inside = LossAt(world, {At(297.27e6, 50e9, 128)});
  ASSERT_TRUE(inside.ok());
  EXPECT_TRUE(inside->warnings.empty());
  const auto beyond = LossAt(world, {At(297.27e6, 1e12, 128)});
  ASSERT_TRUE(beyond.ok());
  ASSERT_EQ(beyond->warnings.size(), 1u);
  EXPECT_NE(beyond->warnings[0].find("10 times above"), std::string::npos) << beyond->warnings[0];
  const auto width_of = [](const Answer& answer) {
    const auto& interval = *Get(answer.rows[0], "delta").interval;
    return (interval.high - interval.low) / Get(answer.rows[0], "delta").value;
  };
  EXPECT_GT(width_of(*beyond), width_of(*inside));
}

TEST(Fits, ReadBackFromJsonAnswerTheSame) {
  const observe::Table table = testing::QatRuns("w4a4", .03, 7);
  const auto problem = testing::Pose("qat-unified", table, "log-least-squares");
  ASSERT_TRUE(problem.ok());
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok());
  const auto law = LawFromFit(*fit, {});
  const auto file = LawsFromJson(fit::ToJson(*fit).dump(), "fit.json", testing::Forms());
  ASSERT_TRUE(law.ok());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->target, "delta");
  EXPECT_EQ(file->rows.rows(), 80u);
  const auto a = LossAt({nullptr, &*law, {}}, {At(1e9, 2e11, 64)});
  const auto b = LossAt({nullptr, &file->laws[0], {}}, {At(1e9, 2e11, 64)});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_DOUBLE_EQ(Get(a->rows[0], "delta").value, Get(b->rows[0], "delta").value);
  EXPECT_DOUBLE_EQ(Get(a->rows[0], "delta").interval->low, Get(b->rows[0], "delta").interval->low);
  EXPECT_EQ(a->warnings, b->warnings);
}

TEST(Fits, NotIdentifiableIsRefusedOrMarked) {
  // Baselines that all lie at D = 100 N: size and data cannot be told apart.
  observe::Table table;
  std::vector<double> n, d, loss;
  for (const double size : {30e6, 50e6, 100e6, 200e6, 430e6, 800e6, 1.6e9}) {
    n.push_back(size);
    d.push_back(100 * size);
    loss.push_back(1.8 + 480 * std::pow(size, -.35) + 2000 * std::pow(100 * size, -.37));
    loss.back() *= 1 + 1e-3 * std::sin(size);
  }
  ASSERT_TRUE(table.SetNumbers("N", n).ok());
  ASSERT_TRUE(table.SetNumbers("D", d).ok());
  ASSERT_TRUE(table.SetNumbers("loss", loss).ok());
  const auto problem = testing::Pose("chinchilla", table, "log-huber");
  ASSERT_TRUE(problem.ok()) << problem.status();
  const auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  ASSERT_FALSE(fit->identifiability.identifiable);
  const auto law = LawFromFit(*fit, {});
  ASSERT_TRUE(law.ok());
  const World world = {&*law, nullptr, {}};
  const auto refused = LossAt(world, {At(1e9, 1e11, 32)});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("not identifiable"), std::string::npos);
  const auto marked = LossAt(world, {At(1e9, 1e11, 32)}, {.95, true});
  ASSERT_TRUE(marked.ok()) << marked.status();
  ASSERT_FALSE(marked->warnings.empty());
  EXPECT_NE(marked->warnings[0].find("not identifiable"), std::string::npos);
}

TEST(BadInput, IsRefusedInWords) {
  const Chen chen("w4a4");
  EXPECT_EQ(LossAt(chen.world, {{{{"N", 1e9}}, {}}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(LossAt(chen.world, {At(-1, 1e9, 32)}).ok());
  EXPECT_FALSE(LossAt(chen.world, {At(std::nan(""), 1e9, 32)}).ok());
  EXPECT_FALSE(ComputeOptimal(chen.world, {{{"G", 32}}, {}}, 0).ok());
  EXPECT_FALSE(ComputeOptimal({nullptr, chen.world.delta, {}}, {{{"G", 32}}, {}}, 1e20).ok());
  EXPECT_FALSE(LawsFromPreset(testing::Laws(), testing::Forms(), "chen-2025:w3a3").ok());
  EXPECT_FALSE(LawsFromPreset(testing::Laws(), testing::Forms(), "nobody:w4a4").ok());
  for (const char* text : {"", "[]", "{}", "{\"ranking\": []}", "{\"parameters\": 3}",
                           "{\"form\": \"chinchilla\", \"parameters\": [{}]}"}) {
    EXPECT_EQ(LawsFromJson(text, "x.json", testing::Forms()).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_EQ(WeightBitsOf("qat-unified:w4a16"), 4);
  EXPECT_EQ(WeightBitsOf("W16A4"), 16);
  EXPECT_FALSE(WeightBitsOf("awkward").has_value());
}

TEST(Intervals, DrawsThatLeaveACurvedValleyAreReplacedByRefits) {
  std::vector<std::vector<double>> draws;
  for (int i = 0; i <= 100; ++i) draws.push_back({i / 100., 1 + .01 * i});
  EXPECT_NEAR(OffCentre({.5, 1.5}, draws), 0, 1e-9);
  EXPECT_GT(OffCentre({.03, 1.03}, draws), .9);

  // Few runs of a law of the loss: E, A and B trade off.
  const observe::Table runs = qatlas::testing::ChinchillaRuns(9, .005, 1);
  auto problem = qatlas::testing::Pose("chinchilla", runs, "log-least-squares");
  ASSERT_TRUE(problem.ok()) << problem.status();
  auto fit = fit::Fit(*problem);
  ASSERT_TRUE(fit.ok()) << fit.status();
  ASSERT_TRUE(fit->identifiability.identifiable);
  DrawOptions options;
  const auto plain = LawFromFit(*fit, options);
  ASSERT_TRUE(plain.ok()) << plain.status();
  options.kind = IntervalKind::kAuto;
  const auto chosen = LawFromFit(*fit, options);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_NE(plain->intervals.find("do not centre"), std::string::npos) << plain->intervals;
  EXPECT_NE(chosen->intervals.find("bootstrap refits"), std::string::npos) << chosen->intervals;
  // Many pairs of a product hold every parameter: draws are good.
  auto pairs = qatlas::testing::Pose("qat-unified", qatlas::testing::QatRuns("w4a4", .05, 3),
                                     "log-least-squares");
  ASSERT_TRUE(pairs.ok());
  const auto delta = fit::Fit(*pairs);
  ASSERT_TRUE(delta.ok());
  const auto law = LawFromFit(*delta, options);
  ASSERT_TRUE(law.ok());
  EXPECT_NE(law->intervals.find("from the covariance"), std::string::npos) << law->intervals;
}

}  // namespace
}  // namespace qatlas::plan
