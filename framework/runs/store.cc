#include "framework/runs/store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "framework/observe/atomic_file.h"
#include "framework/runs/descriptor.h"
#include "framework/runs/files.h"
#include "framework/runs/records.h"
#include "framework/safetensors/header.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace fs = std::filesystem;
namespace {

// Names of the folders in `folder`, sorted; hidden ones are temporary.
absl::StatusOr<std::vector<std::string>> Folders(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  if (!fs::exists(folder, error)) return names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code one;
    const std::string name = it->path().filename().string();
    if (it->is_directory(one) && name[0] != '.') names.push_back(name);
  }
  if (error) return FileError("read the folder", folder, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

bool Has(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Whether the files that hold a segment's results are there and can be read.
absl::Status CheckResults(const fs::path& folder, const recipe::SegmentSpec& spec) {
  const fs::path path = folder / kResultFile;
  if (!Has(path)) {
    return absl::DataLossError(absl::StrCat(folder.string(), " has no ", kResultFile));
  }
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  const std::string id = TextAt(json, "id");
  if (id != spec.id) {
    return absl::DataLossError(absl::StrCat(path.string(), " is of segment '", id, "'"));
  }
  if (spec.evaluate) {
    const auto result = ResultFromJson(json);
    if (!result.ok()) {
      return absl::DataLossError(absl::StrCat(path.string(), ": ", result.status().message()));
    }
  }
  if (const fs::path sites = folder / kSitesFile; Has(sites)) {
    QATLAS_ASSIGN_OR_RETURN(const nlohmann::json list, ReadJson(sites));
    if (!list.is_array()) return absl::DataLossError(absl::StrCat(sites.string(), " is no list"));
  }
  if (const fs::path log = folder / kSiteLogFile; Has(log)) {
    QATLAS_ASSIGN_OR_RETURN(const std::string text, observe::ReadWholeFile(log.string()));
    if (const auto records = SiteLogFromText(text); !records.ok()) {
      return absl::DataLossError(absl::StrCat(log.string(), ": ", records.status().message()));
    }
  }
  return absl::OkStatus();
}

// What two trainings of one segment must agree in.
nlohmann::json Numbers(const nlohmann::json& result) {
  nlohmann::json numbers;
  for (const char* key : {"validation", "train_loss_smoothed"}) {
    if (result.contains(key)) numbers[key] = result[key];
  }
  return numbers;
}

}  // namespace

bool Failure::TryAgain() const {
  return kind != "nan" && kind != "diverged" && kind != "internal" && kind != "not-reproducible";
}

std::string Failure::Show() const {
  return absl::StrCat(kind, step >= 0 ? absl::StrCat(" after step ", step) : "",
                      message.empty() ? "" : ": ", message);
}

absl::Status Store::Create() const {
  for (const char* name : {"segments", "work", "claims", "data", "studies", "cache/describe"}) {
    QATLAS_RETURN_IF_ERROR(MakeFolders(root_ / name));
  }
  return absl::OkStatus();
}

bool Store::Exists() const { return Has(root_ / "segments"); }

absl::StatusOr<recipe::SegmentSpec> Store::Spec(const std::string& id) const {
  const fs::path path = SegmentFolder(id) / kSpecFile;
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  absl::StatusOr<recipe::SegmentSpec> spec = recipe::SegmentSpec::FromJson(json);
  if (!spec.ok()) {
    return absl::DataLossError(absl::StrCat(path.string(), ": ", spec.status().message()));
  }
  if (spec->id != id) {
    return absl::DataLossError(absl::StrCat(path.string(), " is of segment ", spec->id,
                                            "; somebody renamed or copied the folder"));
  }
  QATLAS_RETURN_IF_ERROR(CheckResults(SegmentFolder(id), *spec));
  return spec;
}

absl::Status Store::CheckCheckpoint(const std::string& id) const {
  const fs::path path = SegmentFolder(id) / kCheckpointFile;
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return FileError("open", path, errno);
  struct stat info = {};
  if (fstat(file.fd, &info) != 0) return FileError("read", path, errno);
  const size_t size = static_cast<size_t>(info.st_size);
  absl::Status whole = absl::InvalidArgumentError("it is empty");
  if (size > 0) {
    void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (bytes == MAP_FAILED) return FileError("map", path, errno);
    whole = safetensors::ReadHeader({static_cast<const char*>(bytes), size}).status();
    munmap(bytes, size);
  }
  if (whole.ok()) return whole;
  return absl::DataLossError(absl::StrCat(path.string(), ": ", whole.message()));
}

absl::StatusOr<nlohmann::json> Store::Result(const std::string& id) const {
  return ReadJson(SegmentFolder(id) / kResultFile);
}

absl::StatusOr<std::vector<SegmentRecord>> Store::List(std::vector<std::string>* damaged) const {
  std::vector<SegmentRecord> records;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Folders(root_ / "segments"));
  for (const std::string& id : ids) {
    const absl::StatusOr<recipe::SegmentSpec> spec = Spec(id);
    if (!spec.ok()) {
      if (damaged != nullptr) {
        damaged->push_back(absl::StrCat(
            "segment ", id, " is damaged and counts as missing: ", spec.status().message()));
      }
      continue;
    }
    SegmentRecord record;
    record.id = id;
    record.trajectory = spec->trajectory.Identity();
    record.end_step = spec->end_step;
    record.evaluated = spec->evaluate;
    const absl::Status checkpoint = CheckCheckpoint(id);
    record.has_checkpoint = checkpoint.ok();
    if (!checkpoint.ok() && !absl::IsNotFound(checkpoint) && damaged != nullptr) {
      damaged->push_back(absl::StrCat("the checkpoint of segment ", id,
                                      " is damaged and counts as freed: ", checkpoint.message()));
    }
    records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<WorkRecord>> Store::ListWork() const {
  std::vector<WorkRecord> records;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Folders(root_ / "work"));
  for (const std::string& id : ids) {
    records.push_back({id, Has(WorkFolder(id) / kResumeFile), ReadFailure(id)});
  }
  return records;
}

std::optional<Failure> Store::ReadFailure(const std::string& id) const {
  const fs::path path = WorkFolder(id) / kFailedFile;
  if (!Has(path)) return std::nullopt;
  absl::StatusOr<nlohmann::json> json = ReadJson(path);
  Failure failure;
  if (!json.ok() || !json->is_object()) {
    failure.kind = "protocol";
    failure.message = absl::StrCat(path.string(), " cannot be read");
    return failure;
  }
  auto text = [&](const char* key) {
    return json->contains(key) && (*json)[key].is_string() ? (*json)[key].get<std::string>() : "";
  };
  failure.kind = text("kind");
  failure.message = text("message");
  if (json->contains("step") && (*json)["step"].is_number_integer()) failure.step = (*json)["step"];
  return failure;
}

absl::StatusOr<StoreSizes> Store::Sizes() const {
  StoreSizes sizes;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::string> ids, Folders(root_ / "segments"));
  for (const std::string& id : ids) {
    ++sizes.segments;
    const int64_t checkpoint = TreeBytes(SegmentFolder(id) / kCheckpointFile);
    sizes.checkpoints += HasCheckpoint(id) ? 1 : 0;
    sizes.checkpoint_bytes += checkpoint;
    sizes.other_bytes += TreeBytes(SegmentFolder(id)) - checkpoint;
  }
  QATLAS_ASSIGN_OR_RETURN(const std::vector<std::string> work, Folders(root_ / "work"));
  sizes.work = static_cast<int64_t>(work.size());
  sizes.work_bytes = TreeBytes(root_ / "work");
  sizes.data_bytes = TreeBytes(DataFolder());
  QATLAS_ASSIGN_OR_RETURN(sizes.studies, Folders(root_ / "studies"));
  return sizes;
}

absl::Status Store::BeginWork(const recipe::SegmentSpec& spec) const {
  const fs::path folder = WorkFolder(spec.id);
  QATLAS_RETURN_IF_ERROR(MakeFolders(folder));
  QATLAS_RETURN_IF_ERROR(RemoveAll(folder / kFailedFile));
  recipe::SegmentSpec written = spec;
  if (Has(folder / kResumeFile)) {
    // The store may have got a later state of the trajectory since; the segment keeps the beginning
    // that it had, so that its records are those of a training that was never interrupted.
    absl::StatusOr<nlohmann::json> json = ReadJson(folder / kSpecFile);
    if (json.ok()) {
      absl::StatusOr<recipe::SegmentSpec> old = recipe::SegmentSpec::FromJson(*json);
      if (old.ok() && old->id == spec.id) {
        written.begin_step = old->begin_step;
        written.start_checkpoint = old->start_checkpoint;
        written.start_is_foreign = old->start_is_foreign;
      }
    }
  }
  return WriteJson(folder / kSpecFile, written.ToJson());
}

absl::Status Store::RecordFailure(const std::string& id, const Failure& failure) const {
  QATLAS_RETURN_IF_ERROR(MakeFolders(WorkFolder(id)));
  return WriteJson(
      WorkFolder(id) / kFailedFile,
      nlohmann::json{{"kind", failure.kind}, {"message", failure.message}, {"step", failure.step}});
}

absl::Status Store::Finish(const std::string& id) const {
  const fs::path work = WorkFolder(id);
  const fs::path segment = SegmentFolder(id);
  for (const char* name : {kSpecFile, kResultFile, kCheckpointFile}) {
    if (!Has(work / name)) {
      return absl::DataLossError(
          absl::StrCat("the worker ended without writing ", name, " in ", work.string()));
    }
  }
  QATLAS_RETURN_IF_ERROR(RemoveAll(work / kResumeFile));
  QATLAS_RETURN_IF_ERROR(RemoveAll(work / kFailedFile));
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (fs::directory_iterator it(work, error), end; !error && it != end; it.increment(error)) {
    if (IsTemporary(it->path())) leftovers.push_back(it->path());
  }
  for (const fs::path& path : leftovers) QATLAS_RETURN_IF_ERROR(RemoveAll(path));
  QATLAS_RETURN_IF_ERROR(SyncTree(work));
  if (Has(segment) && !Finished(id)) {
    const fs::path aside = WorkFolder(absl::StrCat("damaged-", id));
    QATLAS_RETURN_IF_ERROR(RemoveAll(aside));
    QATLAS_RETURN_IF_ERROR(Rename(segment, aside));
  }
  if (!Has(segment)) return Rename(work, segment);
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json before, Result(id));
  QATLAS_ASSIGN_OR_RETURN(const nlohmann::json now, ReadJson(work / kResultFile));
  if (Numbers(before) != Numbers(now)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "trained again, the segment has other results than ", (segment / kResultFile).string(),
        " has; the new ones are in ", work.string()));
  }
  if (!HasCheckpoint(id)) {
    QATLAS_RETURN_IF_ERROR(Rename(work / kCheckpointFile, segment / kCheckpointFile));
  }
  return RemoveAll(work);
}

}  // namespace qatlas::runs
