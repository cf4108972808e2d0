#include "graph/device_form.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace trimtab {
namespace {

TEST(AllOperators, HaveNamesOfTheirOwn) {
  const std::vector<Operator> all = all_operators();
  std::set<std::string> names;
  std::set<std::size_t> alternatives;
  for (const Operator& op : all) {
    names.insert(operator_name(op));
    alternatives.insert(op.index());
  }
  EXPECT_EQ(names.size(), all.size());
  EXPECT_EQ(alternatives.size(), std::variant_size_v<Operator>);
  EXPECT_TRUE(names.contains("MaxPool") && names.contains("AveragePool"));
}

TEST(DeviceForm, OfEveryOperatorIsDescribed) {
  for (const Operator& op : all_operators()) {
    SCOPED_TRACE(operator_name(op));
    const FormTraits traits = device_traits(op);
    EXPECT_FALSE(traits.text.empty());
    EXPECT_FALSE(notes_of(op).onnx.empty());
    EXPECT_TRUE(traits.runs || !traits.nested) << "scale programs have no operators that fit programs lack";
    EXPECT_FALSE(traits.saturates && traits.passes_through);
  }
}

TEST(DeviceForm, DependsOnParametersWhereFunctionsDo) {
  EXPECT_EQ(device_form(Clip{0, 6}), DeviceForm::saturation);
  EXPECT_EQ(device_form(Clip{-1, 1}), DeviceForm::table);
  EXPECT_EQ(device_form(Clip{0, 0}), DeviceForm::table);
  Pool pool;
  EXPECT_EQ(device_form(pool), DeviceForm::max_pool);
  pool.kind = PoolKind::average;
  EXPECT_EQ(device_form(pool), DeviceForm::average_pool);
}

}  // namespace
}  // namespace trimtab
