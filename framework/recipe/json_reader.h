// Reads the fields of a JSON object; missing, unknown and mistyped ones become one error.
#ifndef QATLAS_FRAMEWORK_RECIPE_JSON_READER_H_
#define QATLAS_FRAMEWORK_RECIPE_JSON_READER_H_

#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace qatlas::recipe {

class JsonReader {
 public:
  // `what` names the object in messages.
  JsonReader(const nlohmann::json& json, std::string what) : json_(json), what_(std::move(what)) {
    if (!json.is_object()) Fail("it is no JSON object");
  }

  // Reads a field of one of the types bool, int, int64_t, uint32_t, uint64_t, double, std::string.
  // A whole number is taken for a double.
  template <typename T>
  void Read(const char* key, T* out) {
    const nlohmann::json* field = Field(key);
    if (field == nullptr) return;
    bool fits = false;
    if constexpr (std::is_same_v<T, bool>) {
      fits = field->is_boolean();
    } else if constexpr (std::is_same_v<T, double>) {
      fits = field->is_number();
    } else if constexpr (std::is_integral_v<T>) {
      // Parsed from text those from 0 on are unsigned ones; a program may have put in signed ones.
      fits = field->is_number_unsigned()  ? std::in_range<T>(field->get<uint64_t>())
             : field->is_number_integer() ? std::in_range<T>(field->get<int64_t>())
                                          : false;
    } else {
      static_assert(std::is_same_v<T, std::string>);
      fits = field->is_string();
    }
    if (fits) {
      *out = field->template get<T>();
    } else {
      const bool whole = std::is_integral_v<T> && !std::is_same_v<T, bool>;
      Fail(
          absl::StrCat("field '", key, "' is ",
                       whole && field->is_number_integer() ? "out of range: " : "of another type: ",
                       field->dump()));
    }
  }

  // The field, or nullptr after noting that it is missing.
  const nlohmann::json* Field(const char* key) {
    known_.insert(key);
    if (!status_.ok() || !json_.is_object()) return nullptr;
    auto it = json_.find(key);
    if (it == json_.end()) {
      Fail(absl::StrCat("field '", key, "' is missing"));
      return nullptr;
    }
    return &*it;
  }
  const nlohmann::json* OptionalField(const char* key) {
    known_.insert(key);
    if (!status_.ok() || !json_.is_object() || !json_.contains(key)) return nullptr;
    return &json_[key];
  }

  void Fail(const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(what_, ": ", what));
  }
  void Take(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  // The first error; fields that were never asked for are errors too.
  absl::Status Finish() {
    if (status_.ok()) {
      for (const auto& [key, value] : json_.items()) {
        if (known_.count(key) == 0) {
          Fail(absl::StrCat("field '", key, "' is unknown; was it written by another version?"));
        }
      }
    }
    return status_;
  }

 private:
  const nlohmann::json& json_;
  std::string what_;
  std::set<std::string> known_;
  absl::Status status_;
};

}  // namespace qatlas::recipe

#endif  // QATLAS_FRAMEWORK_RECIPE_JSON_READER_H_
