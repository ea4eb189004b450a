// What every law form of ours must keep, over its whole start grid.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/plugins/laws/laws.h"

namespace qatlas::testing {
namespace {

class EveryLaw : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { form_ = Law(GetParam()); }
  const LawSpec& spec() const { return form_->Spec(); }

  // Points from small to large in every covariate, the least allowed value among them, and rows
  // that lack what a row may lack.
  LawPoints Points() const {
    static const std::map<std::string, std::vector<double>> known = {
        {"G", {1, 32, 64, 128, 256, 4096}},
        {"weight_bits", {1, 2, 3, 4, 8, 16}},
        {"input_bits", {8, 1, 16, 4, 2, 3}},
        {"kv_bits", {3, 16, 8, 1, 4, 2}},
        {"exponent_bits", {0, 2, 3, 4, 5, 8}},
        {"mantissa_bits", {0, 1, 0, 3, 2, 7}},
        {"weight_gmse", {.9999, .36, .1, .012, 1e-3, 4e-8}},
        {"input_gmse", {.02, .3, .9999, 1e-4, .1, .005}},
        {"quantized_ratio", {0, .2, .4, .6, .9, 1}},
        {"qat_fraction", {1e-6, .05, .2, .5, .9, .999999}},
    };
    std::vector<std::vector<double>> columns;
    for (const LawCovariate& covariate : spec().covariates) {
      const double shift = covariate.name == "N" ? 0 : 2.5;
      std::vector<double> column = {covariate.minimum};
      for (double x : {7.0, 8.1, 8.7, 9.9, 11.3}) column.push_back(std::pow(10, x + shift));
      const auto found = known.find(covariate.name);
      if (found != known.end()) {
        column = found->second;
      } else {
        EXPECT_TRUE(covariate.name == "N" || covariate.name == "D") << covariate.name;
      }
      columns.push_back(column);
    }
    // A row without each of the covariates that a row may lack, and what leans on it at its least.
    for (size_t c = 0; c < columns.size(); ++c) {
      if (std::isnan(spec().covariates[c].missing)) continue;
      for (size_t other = 0; other < columns.size(); ++other) {
        const LawCovariate& covariate = spec().covariates[other];
        double value = columns[other][3];
        if (other == c) value = covariate.missing;
        if (covariate.only_with == spec().covariates[c].name) value = covariate.minimum;
        columns[other].push_back(value);
      }
    }
    return LawPoints(columns);
  }

  // Up to `limit` of the product of start values.
  std::vector<std::vector<double>> Starts(int64_t limit) const {
    int64_t product = 1;
    for (const LawParameter& p : spec().parameters)
      product *= static_cast<int64_t>(p.starts.size());
    std::vector<std::vector<double>> starts;
    for (int64_t i = 0; i < product; i += std::max<int64_t>(1, product / limit)) {
      int64_t rest = i;
      std::vector<double> theta;
      for (const LawParameter& p : spec().parameters) {
        theta.push_back(p.starts[rest % static_cast<int64_t>(p.starts.size())]);
        rest /= static_cast<int64_t>(p.starts.size());
      }
      starts.push_back(theta);
    }
    return starts;
  }

  std::vector<double> Values(const LawPoints& points, const std::vector<double>& theta) const {
    std::vector<double> values(points.size());
    form_->Evaluate(points.Batch(), theta.data(), values.data(), nullptr, 0);
    return values;
  }

  std::shared_ptr<const LawForm> form_;
};

TEST_P(EveryLaw, DeclaresItselfSoundly) {
  std::set<std::string> names;
  const auto may_be_missing = [&](const std::string& name) {
    const int index = spec().CovariateIndex(name);
    return index >= 0 && !std::isnan(spec().covariates[index].missing);
  };
  for (const LawCovariate& covariate : spec().covariates) {
    EXPECT_LT(covariate.minimum, covariate.maximum) << covariate.name;
    EXPECT_TRUE(covariate.only_with.empty() || may_be_missing(covariate.only_with));
  }
  for (const LawParameter& p : spec().parameters) {
    EXPECT_TRUE(names.insert(p.name).second) << p.name;
    EXPECT_FALSE(p.meaning.empty()) << p.name;
    EXPECT_TRUE(p.only_with.empty() || may_be_missing(p.only_with)) << p.name;
    ASSERT_FALSE(p.starts.empty()) << p.name;
    for (double start : p.starts) {
      EXPECT_GE(start, p.lower) << p.name;
      EXPECT_LE(start, p.upper) << p.name;
      EXPECT_TRUE(!p.log || start > 0) << p.name;
    }
    EXPECT_TRUE(!p.log || p.lower >= 0) << p.name;
  }
  std::set<std::string> presets;
  for (const LawPreset& preset : spec().presets) {
    EXPECT_TRUE(presets.insert(preset.name).second) << preset.name;
    EXPECT_FALSE(preset.citation.empty()) << preset.name;
    EXPECT_FALSE(preset.values.empty()) << preset.name;
    for (const auto& [name, value] : preset.values) {
      ASSERT_GE(spec().ParameterIndex(name), 0) << preset.name << " " << name;
      const LawParameter& p = spec().parameters[spec().ParameterIndex(name)];
      EXPECT_TRUE(value >= p.lower && value <= p.upper) << preset.name << " " << name;
    }
  }
  EXPECT_FALSE(spec().formula.empty());
  EXPECT_FALSE(spec().target.empty());
}

TEST_P(EveryLaw, JacobianMatchesDifferences) {
  const LawPoints points = Points();
  const int64_t n = points.size();
  for (const std::vector<double>& theta : Starts(600)) {
    std::vector<double> values(n), jacobian(n * theta.size());
    form_->Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), n);
    EXPECT_EQ(values, Values(points, theta));
    for (size_t p = 0; p < theta.size(); ++p) {
      // Five points: the error falls with the fourth power of the step.
      const double unit = spec().parameters[p].log ? theta[p] : std::max(std::abs(theta[p]), .1);
      const double h = 2e-4 * unit;
      std::vector<std::vector<double>> at;
      for (double step : {-2.0, -1.0, 1.0, 2.0}) {
        std::vector<double> moved = theta;
        moved[p] += step * h;
        at.push_back(Values(points, moved));
      }
      for (int64_t i = 0; i < n; ++i) {
        const double slope = (at[0][i] - 8 * at[1][i] + 8 * at[2][i] - at[3][i]) / (12 * h);
        const double size = std::max({std::abs(at[0][i]), std::abs(at[3][i]), std::abs(values[i])});
        const double tolerance = 1e-6 * std::abs(slope) + 1e-9 * size / unit + 1e-300;
        ASSERT_NEAR(jacobian[p * n + i], slope, tolerance)
            << spec().parameters[p].name << " at point " << i;
      }
    }
  }
}

TEST_P(EveryLaw, IsFiniteInTheCornersOfItsBounds) {
  const LawPoints points = Points();
  const int64_t n = points.size();
  const size_t count = spec().parameters.size();
  for (uint64_t corner = 0; corner < (uint64_t{1} << count); ++corner) {
    std::vector<double> theta;
    for (size_t p = 0; p < count; ++p) {
      const LawParameter& parameter = spec().parameters[p];
      const auto [low, high] =
          std::minmax_element(parameter.starts.begin(), parameter.starts.end());
      const bool upper = ((corner >> p) & 1) != 0;
      double bound = upper ? parameter.upper : parameter.lower;
      if (!std::isfinite(bound) || (parameter.log && bound == 0)) bound = upper ? *high : *low;
      theta.push_back(bound);
    }
    std::vector<double> values(n), jacobian(n * count);
    form_->Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), n);
    for (double value : values) ASSERT_TRUE(std::isfinite(value));
    for (double value : jacobian) ASSERT_TRUE(std::isfinite(value));
  }
}

// Where a row lacks a covariate, parameters that lean on it change nothing.
TEST_P(EveryLaw, DoesNotDependOnWhatARowLacks) {
  const LawPoints points = Points();
  const int64_t n = points.size();
  for (const std::vector<double>& theta : Starts(50)) {
    std::vector<double> values(n), jacobian(n * theta.size());
    form_->Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), n);
    for (size_t p = 0; p < theta.size(); ++p) {
      const int with = spec().CovariateIndex(spec().parameters[p].only_with);
      if (with < 0) continue;
      for (int64_t i = 0; i < n; ++i) {
        if (points.columns()[with][i] != spec().covariates[with].missing) continue;
        EXPECT_EQ(jacobian[p * n + i], 0) << spec().parameters[p].name;
      }
    }
  }
}

TEST_P(EveryLaw, IsAffineInItsLinearParameters) {
  const LawPoints points = Points();
  for (const std::vector<double>& theta : Starts(50)) {
    std::vector<double> other = theta, middle = theta;
    for (size_t p = 0; p < theta.size(); ++p) {
      if (!spec().parameters[p].linear) continue;
      other[p] = theta[p] * (2.5 + static_cast<double>(p));
      middle[p] = .75 * theta[p] + .25 * other[p];
    }
    const auto a = Values(points, theta), b = Values(points, other), c = Values(points, middle);
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(c[i], .75 * a[i] + .25 * b[i], 1e-12 * (std::abs(a[i]) + std::abs(b[i])));
    }
  }
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Laws, EveryLaw,
                         ::testing::Values("chinchilla", "chinchilla-tied", "qat-unified",
                                           "qat-no-data", "qat-size-only", "effective-parameter",
                                           "effective-parameter-delta", "kaplan", "undertrained",
                                           "optimal-fraction", "fixed-fraction", "quartet",
                                           "precision", "precision-ptq", "floating-point",
                                           "representation", "mixed-ptq", "two-phase"),
                         TestName);

}  // namespace
}  // namespace qatlas::testing
