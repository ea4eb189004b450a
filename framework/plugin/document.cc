#include "framework/plugin/document.h"

#include <memory>

#include "absl/strings/str_cat.h"

namespace qatlas::plugin {

Node Node::Bool(bool value, std::string where) {
  Node node;
  node.type = Type::kBool;
  node.boolean = value;
  node.where = std::move(where);
  return node;
}
Node Node::Int(int64_t value, std::string where) {
  Node node;
  node.type = Type::kInt;
  node.integer = value;
  node.where = std::move(where);
  return node;
}
Node Node::Float(double value, std::string where) {
  Node node;
  node.type = Type::kFloat;
  node.number = value;
  node.where = std::move(where);
  return node;
}
Node Node::String(std::string value, std::string where) {
  Node node;
  node.type = Type::kString;
  node.text = std::move(value);
  node.where = std::move(where);
  return node;
}
Node Node::MakeArray(Array values, std::string where) {
  Node node;
  node.type = Type::kArray;
  node.array = std::move(values);
  node.where = std::move(where);
  return node;
}
Node Node::MakeTable(std::string where) {
  Node node;
  node.where = std::move(where);
  return node;
}

const Node* Node::Find(absl::string_view key) const {
  if (type != Type::kTable) return nullptr;
  for (const Entry& entry : table) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Node* Node::Find(absl::string_view key) {
  return const_cast<Node*>(static_cast<const Node*>(this)->Find(key));
}

Node& Node::Set(absl::string_view key, Node value) {
  for (Entry& entry : table) {
    if (entry.key == key) {
      entry.where = value.where;
      entry.value = std::move(value);
      return entry.value;
    }
  }
  std::string where = value.where;
  table.push_back({std::string(key), std::move(where), std::move(value)});
  return table.back().value;
}

const char* TypeName(Node::Type type) {
  switch (type) {
    case Node::Type::kBool:
      return "a bool";
    case Node::Type::kInt:
      return "a whole number";
    case Node::Type::kFloat:
      return "a number with a point";
    case Node::Type::kString:
      return "text";
    case Node::Type::kArray:
      return "a list";
    case Node::Type::kTable:
      return "a table";
    case Node::Type::kOther:
      return "a date or time";
  }
  return "something unknown";
}

Node NodeFromJson(const nlohmann::json& json, const std::string& where) {
  using Type = nlohmann::json::value_t;
  switch (json.type()) {
    case Type::boolean:
      return Node::Bool(json.get<bool>(), where);
    case Type::number_integer:
    case Type::number_unsigned:
      return Node::Int(json.get<int64_t>(), where);
    case Type::number_float:
      return Node::Float(json.get<double>(), where);
    case Type::string:
      return Node::String(json.get<std::string>(), where);
    case Type::array: {
      Node node = Node::MakeArray({}, where);
      for (const auto& element : json) node.array.push_back(NodeFromJson(element, where));
      return node;
    }
    case Type::object: {
      Node node = Node::MakeTable(where);
      for (const auto& [key, value] : json.items()) node.Set(key, NodeFromJson(value, where));
      return node;
    }
    default: {
      Node node;
      node.type = Node::Type::kOther;
      node.text = json.dump();
      node.where = where;
      return node;
    }
  }
}

nlohmann::json NodeToJson(const Node& node) {
  switch (node.type) {
    case Node::Type::kBool:
      return node.boolean;
    case Node::Type::kInt:
      return node.integer;
    case Node::Type::kFloat:
      return node.number;
    case Node::Type::kString:
    case Node::Type::kOther:
      return node.text;
    case Node::Type::kArray: {
      nlohmann::json json = nlohmann::json::array();
      for (const Node& element : node.array) json.push_back(NodeToJson(element));
      return json;
    }
    case Node::Type::kTable: {
      nlohmann::json json = nlohmann::json::object();
      for (const Entry& entry : node.table) json[entry.key] = NodeToJson(entry.value);
      return json;
    }
  }
  return nullptr;
}

Node NodeFromOption(const OptionValue& value, const std::string& where) {
  if (const bool* b = std::get_if<bool>(&value)) return Node::Bool(*b, where);
  if (const int64_t* i = std::get_if<int64_t>(&value)) return Node::Int(*i, where);
  if (const double* d = std::get_if<double>(&value)) return Node::Float(*d, where);
  if (const std::string* s = std::get_if<std::string>(&value)) return Node::String(*s, where);
  return NodeFromOptions(*std::get<std::shared_ptr<const OptionTable>>(value), where);
}

Node NodeFromOptions(const OptionTable& options, const std::string& where) {
  Node node = Node::MakeTable(where);
  for (const auto& [key, value] : options.values) node.Set(key, NodeFromOption(value, where));
  return node;
}

absl::StatusOr<OptionValue> OptionFromNode(const Node& node) {
  switch (node.type) {
    case Node::Type::kBool:
      return OptionValue(node.boolean);
    case Node::Type::kInt:
      return OptionValue(node.integer);
    case Node::Type::kFloat:
      return OptionValue(node.number);
    case Node::Type::kString:
      return OptionValue(node.text);
    case Node::Type::kTable: {
      auto table = std::make_shared<OptionTable>();
      for (const Entry& entry : node.table) {
        absl::StatusOr<OptionValue> value = OptionFromNode(entry.value);
        if (!value.ok()) return value.status();
        table->values[entry.key] = *std::move(value);
      }
      return OptionValue(std::shared_ptr<const OptionTable>(std::move(table)));
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat(node.where, ": ", TypeName(node.type), " cannot be the value of an option"));
  }
}

}  // namespace qatlas::plugin
