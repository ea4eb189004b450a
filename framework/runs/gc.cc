#include "framework/runs/gc.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/runs/claim.h"
#include "framework/runs/files.h"
#include "framework/runs/study.h"
#include "qatlas/check.h"

namespace qatlas::runs {
namespace {

using States = std::map<std::string, std::map<int64_t, std::vector<std::string>>>;

// Keeps what can serve as a start at or before a step of a trajectory: its latest states.
// False when there is none.
bool KeepLatest(const States& states, const std::string& trajectory, int64_t step,
                std::set<std::string>* kept) {
  const auto found = states.find(trajectory);
  if (found == states.end()) return false;
  auto after = found->second.upper_bound(step);
  if (after == found->second.begin()) return false;
  --after;
  kept->insert(after->second.begin(), after->second.end());
  return true;
}

void KeepForStudy(const Study& study, const Store& store, const States& states,
                  const GcOptions& options, std::set<std::string>* kept) {
  // First piece of each trajectory: where it forks from.
  std::map<std::string, const StudySegment*> trajectories;
  for (const StudySegment& segment : study.segments) {
    trajectories.try_emplace(segment.trajectory, &segment);
    const auto found = states.find(segment.trajectory);
    if (found == states.end()) continue;
    const auto here = found->second.find(segment.end_step);
    if (here == found->second.end()) continue;
    if (options.finals && segment.final_of_run) {
      kept->insert(here->second.begin(), here->second.end());
    }
  }
  for (const auto& [identity, segment] : trajectories) {
    if (!options.forks || segment->parent_trajectory.empty()) continue;
    const auto found = states.find(segment->parent_trajectory);
    if (found == states.end()) continue;
    const auto fork = found->second.find(segment->start_step);
    if (fork != found->second.end()) kept->insert(fork->second.begin(), fork->second.end());
  }
  for (const StudySegment& segment : study.segments) {
    if (!segment.evaluate || store.Finished(segment.id)) continue;
    // Back along the path to the first state that is there.
    std::string trajectory = segment.trajectory;
    int64_t step = segment.end_step;
    while (!KeepLatest(states, trajectory, step, kept)) {
      const auto here = trajectories.find(trajectory);
      if (here == trajectories.end() || here->second->parent_trajectory.empty()) break;
      step = here->second->start_step;
      trajectory = here->second->parent_trajectory;
    }
  }
}

// Temporary files that no living process can still be about to rename.
std::vector<std::filesystem::path> Leftovers(const Store& store) {
  namespace fs = std::filesystem;
  std::vector<fs::path> paths;
  const auto limit = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const char* folder : {"studies", "cache"}) {
    std::error_code error;
    for (fs::recursive_directory_iterator it(store.root() / folder, error), end;
         !error && it != end; it.increment(error)) {
      std::error_code one;
      if (IsTemporary(it->path()) && it->last_write_time(one) < limit && !one) {
        paths.push_back(it->path());
      }
    }
  }
  return paths;
}

}  // namespace

absl::StatusOr<GcReport> Gc(const Store& store, const GcOptions& options) {
  GcReport report;
  QATLAS_ASSIGN_OR_RETURN(const std::vector<SegmentRecord> records, store.List(&report.damaged));
  States states;
  for (const SegmentRecord& record : records) {
    if (record.has_checkpoint) states[record.trajectory][record.end_step].push_back(record.id);
  }
  std::set<std::string> kept;
  for (const std::string& name : ListStudies(store)) {
    // A study that cannot be read might need anything: nothing is freed then.
    QATLAS_ASSIGN_OR_RETURN(const Study study, ReadStudy(store, name, options.old_plans));
    KeepForStudy(study, store, states, options, &kept);
    for (const std::filesystem::path& plan : study.needless) {
      report.removed_plans.push_back(plan.string());
    }
  }
  // What workers are about to read: starts of segments that somebody trains now.
  QATLAS_ASSIGN_OR_RETURN(const std::vector<WorkRecord> work, store.ListWork());
  for (const WorkRecord& record : work) {
    const std::optional<ClaimHolder> holder = ReadClaim(store, record.id);
    if (!holder.has_value() || !holder->alive) continue;
    absl::StatusOr<nlohmann::json> json = ReadJson(store.WorkFolder(record.id) / kSpecFile);
    if (!json.ok()) continue;
    absl::StatusOr<recipe::SegmentSpec> spec = recipe::SegmentSpec::FromJson(*json);
    if (!spec.ok()) continue;
    kept.insert(std::filesystem::path(spec->start_checkpoint).parent_path().filename().string());
  }
  for (const SegmentRecord& record : records) {
    const std::filesystem::path path = store.SegmentFolder(record.id) / kCheckpointFile;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    if (record.has_checkpoint && kept.count(record.id) != 0) {
      ++report.kept;
      continue;
    }
    report.bytes += TreeBytes(path);
    report.freed.push_back(record.id);
    if (!options.dry_run) QATLAS_RETURN_IF_ERROR(RemoveAll(path));
  }
  for (const WorkRecord& record : work) {
    if (!store.Finished(record.id)) continue;
    // Not with a restoring of its checkpoint under way, or about to be.
    std::optional<Claim> claim;
    if (options.dry_run) {
      const std::optional<ClaimHolder> holder = ReadClaim(store, record.id);
      if (holder.has_value() && holder->alive) continue;
    } else {
      QATLAS_ASSIGN_OR_RETURN(claim, Claim::Try(store, record.id));
      if (!claim.has_value()) continue;
    }
    report.bytes += TreeBytes(store.WorkFolder(record.id));
    report.removed_work.push_back(record.id);
    if (!options.dry_run) QATLAS_RETURN_IF_ERROR(RemoveAll(store.WorkFolder(record.id)));
  }
  std::vector<std::filesystem::path> files = Leftovers(store);
  files.insert(files.end(), report.removed_plans.begin(), report.removed_plans.end());
  for (const std::filesystem::path& path : files) {
    report.bytes += TreeBytes(path);
    if (!options.dry_run) QATLAS_RETURN_IF_ERROR(RemoveAll(path));
  }
  return report;
}

}  // namespace qatlas::runs
