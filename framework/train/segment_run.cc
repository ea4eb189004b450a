#include "framework/train/segment_run.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "framework/data/batches.h"
#include "framework/train/atomic_file.h"
#include "framework/train/checkpoint.h"
#include "framework/train/evaluate.h"
#include "framework/train/loop.h"
#include "framework/train/outcome.h"
#include "framework/train/result_files.h"
#include "framework/train/site_statistics.h"
#include "qatlas/check.h"

namespace qatlas::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr char kResume[] = "resume.safetensors";
constexpr char kCheckpoint[] = "checkpoint.safetensors";
constexpr char kResult[] = "result.json";
// A log has at most about so many steps.
constexpr int64_t kLoggedSteps = 2000;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Holds the folder for this process: two workers in one folder would spoil each other's files.
class FolderLock {
 public:
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return IoError("open", folder, errno);
    std::unique_ptr<FolderLock> lock(new FolderLock(fd));
    // A worker that was told to stop may still be writing its checkpoint.
    for (int attempt = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++attempt) {
      if (attempt == 100) {
        return absl::UnavailableError(
            absl::StrCat("another worker is training in ", folder.string()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return lock;
  }
  ~FolderLock() { ::close(fd_); }

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

void Remove(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

class SegmentRun {
 public:
  SegmentRun(const fs::path& folder, const SegmentInputs& inputs, Components& components,
             const SegmentHooks& hooks, int64_t* step)
      : folder_(folder),
        spec_(inputs.spec),
        trajectory_(inputs.spec.trajectory),
        inputs_(inputs),
        components_(components),
        hooks_(hooks),
        step_(*step),
        window_((spec_.evaluation.smoothing_tokens + TokensPerStep() - 1) / TokensPerStep()),
        losses_(window_) {}

  absl::Status Run() {
    QATLAS_RETURN_IF_ERROR(OpenBatches());
    QATLAS_RETURN_IF_ERROR(CheckVocabulary());
    QATLAS_RETURN_IF_ERROR(Begin());
    Reporter reporter(hooks_.events, step_, spec_.end_step, TokensPerStep());
    reporter.Start(trainee_->builder->Counts(trajectory_.sequence_length).Total());
    if (step_ < spec_.end_step || !at_end_) {
      QATLAS_RETURN_IF_ERROR(Train(&reporter));
      // Of a run alone: a trunk may still come back, and its state tells those that fork from it.
      if (spec_.evaluate) QATLAS_RETURN_IF_ERROR(losses_.CheckEnd(step_));
      QATLAS_RETURN_IF_ERROR(Save(kCheckpoint));
      reporter.Checkpoint(step_);
    }
    Remove(folder_ / kResume);
    QATLAS_RETURN_IF_ERROR(Finish());
    reporter.Emit({{"event", "done"},
                   {"step", step_},
                   {"end_step", spec_.end_step},
                   {"tokens", step_ * TokensPerStep()}});
    return absl::OkStatus();
  }

 private:
  int64_t TokensPerStep() const {
    return trajectory_.batch_sequences * trajectory_.sequence_length;
  }
  int64_t TokensAt(int64_t step) const { return step * TokensPerStep(); }
  void Tell(const std::string& message) {
    if (hooks_.message) hooks_.message(message);
  }
  bool ShouldStop() const { return hooks_.stop && hooks_.stop(); }

  absl::Status OpenBatches() {
    QATLAS_ASSIGN_OR_RETURN(
        auto batches,
        data::TrainBatches::Create(inputs_.train, trajectory_.sequence_length, trajectory_.seed));
    QATLAS_RETURN_IF_ERROR(
        batches.order().CheckBudget(spec_.end_step * TokensPerStep(), trajectory_.allow_epochs));
    batches_ = std::make_unique<data::TrainBatches>(std::move(batches));
    if (spec_.evaluate) {
      QATLAS_ASSIGN_OR_RETURN(auto validation, data::ValidationSet::Create(
                                                   inputs_.validation, trajectory_.sequence_length,
                                                   spec_.evaluation.validation_sequences));
      validation_ = std::make_unique<data::ValidationSet>(std::move(validation));
    }
    return OpenSiteSequences();
  }

  // A set of their own: what sites look like must not depend on how long the validation is, since
  // a trunk serves recipes with any. None where the stream has no whole sequence.
  absl::Status OpenSiteSequences() {
    const int64_t length = trajectory_.sequence_length;
    const int64_t count =
        std::min(EvaluationBatch(length), (inputs_.validation.size() - 1) / length);
    if (count < 1) return absl::OkStatus();
    QATLAS_ASSIGN_OR_RETURN(auto sequences,
                            data::ValidationSet::Create(inputs_.validation, length, count));
    site_sequences_ = std::make_unique<data::ValidationSet>(std::move(sequences));
    return absl::OkStatus();
  }

  // Before anything is computed: calibration would look up tokens already.
  absl::Status CheckVocabulary() {
    QATLAS_ASSIGN_OR_RETURN(const std::unique_ptr<ModelBuilder> builder,
                            components_.MakeModel(trajectory_.model));
    if (inputs_.vocabulary <= builder->VocabularySize()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the data has a vocabulary of ", inputs_.vocabulary, ", the model one of ",
                     builder->VocabularySize(), "; give the model at least the data's"));
  }

  // Builds the trainee from the latest state: of an earlier attempt, else where the segment starts.
  absl::Status Begin() {
    const SequenceSource sequences = [this](int64_t i, int64_t* out) { batches_->Fill(i, out); };
    Start start;
    CheckpointInfo info;
    for (const char* name : {kResume, kCheckpoint}) {
      absl::StatusOr<std::shared_ptr<const SafetensorsFile>> file =
          SafetensorsFile::Open(folder_ / name);
      if (!file.ok()) {
        if (!absl::IsNotFound(file.status())) {
          Tell(absl::StrCat(file.status().message(), "; going on without it"));
        }
        continue;
      }
      absl::StatusOr<CheckpointInfo> own = ReadCheckpointInfo(**file);
      if (!own.ok() || own->segment != spec_.id || own->trajectory != trajectory_.Identity()) {
        Tell(absl::StrCat((folder_ / name).string(), " belongs to another segment; ignored"));
        continue;
      }
      absl::StatusOr<std::unique_ptr<RunLog>> log = RunLog::Open(folder_, own->logs);
      if (!log.ok()) {
        Tell(absl::StrCat(log.status().message(), "; starting the segment again"));
        continue;
      }
      log_ = *std::move(log);
      start.file = *std::move(file);
      info = *std::move(own);
      at_end_ = std::string_view(name) == kCheckpoint;
      Tell(absl::StrCat("going on from step ", info.step));
      break;
    }
    if (start.file == nullptr) {
      QATLAS_ASSIGN_OR_RETURN(log_, RunLog::Open(folder_, {}));
      QATLAS_RETURN_IF_ERROR(OpenStart(&start, &info));
    }
    step_ = start.file != nullptr && !start.foreign ? info.step : spec_.begin_step;
    from_step_ = step_;
    QATLAS_ASSIGN_OR_RETURN(trainee_, MakeTrainee(spec_, components_, start, sequences));
    sequences_ = sequences;
    return BeginLosses(start, info);
  }

  absl::Status BeginLosses(const Start& start, const CheckpointInfo& info) {
    losses_.SetUniformLoss(std::log(static_cast<double>(trainee_->builder->VocabularySize())));
    if (start.file == nullptr || start.foreign) return absl::OkStatus();
    QATLAS_ASSIGN_OR_RETURN(const at::Tensor state, start.file->Read("train.losses"));
    if (info.trajectory != trajectory_.Identity()) return losses_.Follow(state);
    return losses_.Restore(state, info.step - trajectory_.start_step);
  }

  absl::Status OpenStart(Start* start, CheckpointInfo* info) {
    if (spec_.start_checkpoint.empty()) {
      if (spec_.begin_step == 0 && trajectory_.start.empty()) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("start_checkpoint is missing: the segment begins at step ", spec_.begin_step,
                       " of '", trajectory_.start, "'"));
    }
    QATLAS_ASSIGN_OR_RETURN(start->file, SafetensorsFile::Open(spec_.start_checkpoint));
    start->foreign = spec_.start_is_foreign;
    if (start->foreign) return absl::OkStatus();
    QATLAS_ASSIGN_OR_RETURN(*info, ReadCheckpointInfo(*start->file));
    if (info->step != spec_.begin_step) {
      return absl::InvalidArgumentError(absl::StrCat(spec_.start_checkpoint, " is of step ",
                                                     info->step, ", the segment begins at step ",
                                                     spec_.begin_step));
    }
    if (spec_.begin_step > trajectory_.start_step && info->trajectory != trajectory_.Identity()) {
      return absl::InvalidArgumentError(absl::StrCat(spec_.start_checkpoint, " is of trajectory ",
                                                     info->trajectory, ", the segment continues ",
                                                     trajectory_.Identity()));
    }
    return absl::OkStatus();
  }

  absl::Status Save(const char* name) {
    // The logs must not be behind a checkpoint that names their sizes.
    QATLAS_RETURN_IF_ERROR(log_->Sync());
    CheckpointInfo info;
    info.step = step_;
    info.trajectory = trajectory_.Identity();
    info.segment = spec_.id;
    info.logs = log_->Sizes();
    return WriteCheckpoint(folder_ / name, *trainee_, trajectory_, losses_, info);
  }

  absl::Status Train(Reporter* reporter) {
    Stepper stepper(*trainee_, trajectory_, sequences_);
    const int64_t log_every = (spec_.end_step - spec_.begin_step + kLoggedSteps - 1) / kLoggedSteps;
    const int64_t sites_every = spec_.evaluation.site_statistics_every;
    const at::Device device(trajectory_.device == "cuda" ? at::kCUDA : at::kCPU);
    const auto sites = [&] {
      return ToJson(MeasureSites(*trainee_->model, *site_sequences_, device));
    };
    const bool log_sites = sites_every > 0 && spec_.evaluate && site_sequences_ != nullptr;
    // As the trajectory starts: what its quantizers make of the weights that they find.
    if (log_sites && step_ == trajectory_.start_step && step_ < spec_.end_step) {
      log_->LogSites(step_, TokensAt(step_), sites());
    }
    Clock::time_point saved = Clock::now();
    Clock::time_point flushed = saved;
    const Clock::time_point began = saved;
    const absl::Status status = TrainSteps(
        stepper, losses_, step_, spec_.end_step, [&](const StepRecord& record) -> absl::Status {
          step_ = record.step;
          if ((step_ - spec_.begin_step) % log_every == 0 || step_ == spec_.end_step) {
            log_->Log(record);
          }
          // The end has a file of its own.
          if (log_sites && step_ % sites_every == 0 && step_ < spec_.end_step) {
            log_->LogSites(step_, TokensAt(step_), sites());
          }
          reporter->Progress(record, losses_.Smoothed());
          const bool stop = ShouldStop();
          if (stop || SecondsSince(saved) >= static_cast<double>(spec_.checkpoint_every_seconds)) {
            QATLAS_RETURN_IF_ERROR(Save(kResume));
            reporter->Checkpoint(step_);
            saved = flushed = Clock::now();
          } else if (SecondsSince(flushed) > 1) {
            // For people who watch.
            QATLAS_RETURN_IF_ERROR(log_->Flush());
            flushed = Clock::now();
          }
          return stop ? Stopped() : absl::OkStatus();
        });
    timings_.train_seconds = SecondsSince(began);
    return status;
  }

  absl::Status Finish() {
    const Clock::time_point began = Clock::now();
    std::optional<ValidationResult> validation;
    const at::Device device(trajectory_.device == "cuda" ? at::kCUDA : at::kCPU);
    if (validation_ != nullptr) {
      QATLAS_ASSIGN_OR_RETURN(validation, Evaluate(*trainee_->model, *validation_, device,
                                                   [this] { return ShouldStop(); }));
      log_->LogValidation(step_, validation->loss);
    }
    if (site_sequences_ != nullptr) {
      QATLAS_RETURN_IF_ERROR(WriteFileAtomically(
          folder_ / "sites.json",
          ToJson(MeasureSites(*trainee_->model, *site_sequences_, device)).dump(1) + "\n"));
    }
    QATLAS_RETURN_IF_ERROR(log_->Sync());
    timings_.evaluate_seconds = SecondsSince(began);
    timings_.from_step = from_step_;
    timings_.steps = step_ - from_step_;
    timings_.wall_seconds = SecondsSince(created_);
    QATLAS_RETURN_IF_ERROR(
        WriteFileAtomically(folder_ / "machine.json",
                            MachineJson(spec_, *trainee_, components_, timings_).dump(2) + "\n"));
    return WriteFileAtomically(folder_ / kResult,
                               ResultJson(spec_, *trainee_, losses_, validation).dump(1) + "\n");
  }

  const fs::path folder_;
  const recipe::SegmentSpec& spec_;
  const recipe::Trajectory& trajectory_;
  const SegmentInputs& inputs_;
  Components& components_;
  const SegmentHooks& hooks_;
  int64_t& step_;
  int64_t window_;
  LossTracker losses_;
  std::unique_ptr<data::TrainBatches> batches_;
  std::unique_ptr<data::ValidationSet> validation_;
  std::unique_ptr<data::ValidationSet> site_sequences_;
  SequenceSource sequences_;
  std::unique_ptr<RunLog> log_;
  std::unique_ptr<Trainee> trainee_;
  bool at_end_ = false;  // the state at end_step is saved already
  int64_t from_step_ = 0;
  Timings timings_;
  Clock::time_point created_ = Clock::now();
};

// Done before? An existing result of another segment is an error: nothing finished is overwritten.
absl::StatusOr<bool> IsDone(const fs::path& folder, const recipe::SegmentSpec& spec) {
  absl::StatusOr<std::string> text = ReadFile(folder / kResult);
  if (absl::IsNotFound(text.status())) return false;
  if (!text.ok()) return text.status();
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("id") && json["id"] == spec.id) return true;
  return absl::FailedPreconditionError(
      absl::StrCat((folder / kResult).string(),
                   " is the result of another segment; finished segments are never overwritten"));
}

}  // namespace

absl::Status RunSegment(const fs::path& folder, const SegmentInputs& inputs, Components& components,
                        const SegmentHooks& hooks, int64_t* step) {
  *step = inputs.spec.begin_step;
  QATLAS_ASSIGN_OR_RETURN(auto lock, FolderLock::Take(folder));
  QATLAS_ASSIGN_OR_RETURN(const bool done, IsDone(folder, inputs.spec));
  if (done) {
    *step = inputs.spec.end_step;
    if (hooks.events) {
      hooks.events({{"event", "done"}, {"step", *step}, {"end_step", *step}, {"already", true}});
    }
    return absl::OkStatus();
  }
  Remove(folder / "failed.json");
  return CatchTorch([&] { return SegmentRun(folder, inputs, components, hooks, step).Run(); });
}

}  // namespace qatlas::train
