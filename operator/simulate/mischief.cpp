#include "simulate/mischief.h"

#include <array>
#include <utility>

namespace gopacer::simulating {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kPerson = "kubectl-set";
/// One step of a clock in so many is one of minutes or hours.
constexpr int kLongSteps = 3;
/// Probability of more, right after something has gone wrong.
constexpr double kInTrouble = 0.5;
constexpr std::array kWishes{&Wishes::undo_to, &Wishes::promote, &Wishes::retry};

}  // namespace

Mischief::Mischief(const Faults& faults, bool live, std::uint64_t seed, ApiServer& api, Cluster& cluster)
    : faults_(faults), live_(live), random_(seed), api_(api), cluster_(cluster) {
  if (faults.calls > 0) api.accident = [this](bool of_target) { return accident(of_target); };
}

bool Mischief::chance(double probability) {
  return probability > 0 && std::uniform_real_distribution<double>()(random_) < probability;
}

bool Mischief::happens(double per_hour, Duration window) {
  return chance(per_hour * to_seconds(window) / to_seconds(hours(1)));
}

int Mischief::any(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

bool Mischief::is_calm() { return std::exchange(known_accidents_, accidents_) == accidents_; }

Accident Mischief::accident(bool of_target) {
  if (!chance(faults_.calls)) return Accident::kNone;
  note();
  in_trouble_ = of_target;
  const int kind = any(1, 10);
  if (kind <= 4) return Accident::kFailed;
  if (kind <= 5) return Accident::kRefused;
  return kind <= 7 ? Accident::kAnswerLost : Accident::kDeath;
}

void Mischief::bury_operator(Time now) {
  note();
  away_until_ = now + seconds(any(0, 600));
  cluster_.forget_samples();
  has_seen_ = false;
  api_.begin_operator();
}

const Objects& Mischief::picture() {
  const Objects& there = api_.objects;
  const bool in_trouble = std::exchange(in_trouble_, false);
  const bool is_late = has_seen_ && chance(in_trouble && faults_.pictures > 0 ? kInTrouble : faults_.pictures);
  if (!is_late) {
    seen_ = there;
    has_seen_ = true;
    return seen_;
  }
  note();
  // One kind's watch lags behind the others.
  const int kind = in_trouble ? 1 : any(0, 3);
  if (kind != 0) seen_.profile = there.profile;
  if (kind != 1) seen_.target = there.target;
  if (kind != 2) seen_.trials = there.trials;
  if (kind != 3) seen_.canary = there.canary, seen_.baseline = there.baseline;
  return seen_;
}

void Mischief::pass(Duration window, Time now) {
  if (!faults_.any()) return;
  if (happens(faults_.deaths, window)) bury_operator(now);
  if (happens(faults_.clock, window)) step_clock();
  if (happens(faults_.pods, window)) befall_pods(now);
  if (happens(faults_.people, window) || (in_trouble_ && faults_.people > 0 && chance(kInTrouble))) act_as_person(now);
  if (now >= load_until_) load_ = 1;
  if (suspended_until_ && now >= *suspended_until_) {
    suspended_until_.reset();
    note();
    api_.edit_profile([](Profile& profile) { profile.spec.suspend = false; });
  }
}

void Mischief::step_clock() {
  note();
  const Duration length = any(1, kLongSteps) == 1 ? Duration(minutes(any(2, 180))) : Duration(seconds(any(1, 60)));
  const Duration step = any(0, 1) == 0 ? length : -length;
  clock_error_ += step;
  on_clock_step(step);
}

void Mischief::befall_pods(Time now) {
  note();
  const Track any_track = any(0, 2) == 0 ? Track::kStable : any(0, 1) == 0 ? Track::kCanary : Track::kBaseline;
  const Track track = live_ ? Track::kStable : any_track;
  switch (any(0, live_ ? 5 : 3)) {
    case 0:
      cluster_.restart(track, now, any(0, 5) == 0);
      break;
    case 1:
      cluster_.evict(track);
      break;
    case 2:
      cluster_.set_start_up(any(0, 3) == 0 ? any(60, 600) : any(0, 30));
      break;
    case 3:
      load_ = any(0, 1) == 0 ? 2 : 0.3;
      load_until_ = now + minutes(any(1, 15));
      break;
    case 4:
      cluster_.lose_agent(now + seconds(any(1, 120)), any(0, 1) == 0);
      break;
    default:
      cluster_.deafen_agent(now + seconds(any(1, 120)));
  }
}

void Mischief::set_as_person(const Settings& settings) {
  if (settings_of(*api_.objects.target) == settings) return;
  api_.edit_target([&](Workload& target) { set_settings(target, settings, kPerson); });
  on_settings_by_person();
}

void Mischief::act_as_person(Time now) {
  note();
  Settings settings = settings_of(*api_.objects.target);
  const auto& trials = api_.objects.trials;
  switch (any(0, 10)) {
    case 0:
      settings.gogc = Gogc(any(2, 12) * 33);
      return set_as_person(settings);
    case 1:
      settings.go_mem_limit = mib(any(150, 400));
      return set_as_person(settings);
    case 2:
    case 3:
      // They let go of what they have set.
      if (owner_of(*api_.objects.target, kGogcVariable) == kPerson) settings.gogc.reset();
      if (owner_of(*api_.objects.target, kGoMemLimitVariable) == kPerson) settings.go_mem_limit.reset();
      return set_as_person(settings);
    case 4:
      if (!trials.empty()) set_as_person(trials.back()->spec.from);  // kubectl rollout undo
      return;
    case 5:
      return api_.edit_target([&](Workload& target) {
        target.template_hash = "template-" + std::to_string(++templates_);
        ++target.generation;
      });
    case 6:
      return api_.edit_target([&](Workload& target) {
        target.replicas = any(1, 8);
        ++target.generation;
      });
    case 7:
      if (const auto trial = api_.objects.running_trial()) {
        api_.edit_trial(trial, [](Trial& one) { one.deleting = true; });
      }
      return;
    case 8: {
      const int replicas = api_.objects.target->replicas;
      api_.edit_target([&](Workload& target) {
        target = new_workload(target.key.name, "target-" + std::to_string(++targets_), replicas);
      });
      return on_settings_by_person();
    }
    case 9:
      api_.edit_profile([](Profile& profile) { profile.spec.suspend = true; });
      suspended_until_ = now + minutes(any(2, 30));
      return;
    default:
      return change_profile();
  }
}

void Mischief::change_profile() {
  const auto& trials = api_.objects.trials;
  const bool model = api_.objects.profile->spec.strategy == Strategy::kModel;
  const std::string wanted =
      trials.empty() ? "" : trials[static_cast<std::size_t>(any(0, static_cast<int>(trials.size()) - 1))]->key.name;
  const bool wish = any(0, 1) == 0;
  const int kind = any(0, 2);
  if (live_ && any(0, 3) == 0) {
    const bool was_live = api_.objects.profile->spec.apply == ApplyMode::kLive;
    api_.edit_profile(
        [&](Profile& profile) { profile.spec.apply = was_live ? ApplyMode::kRestart : ApplyMode::kLive; });
    return on_settings_by_person();
  }
  api_.edit_profile([&](Profile& profile) {
    if (wish) {
      std::string& name = profile.wishes.*kWishes[static_cast<std::size_t>(kind)];
      name = name.empty() ? wanted : "";
    } else if (model) {
      profile.spec.strategy = Strategy::kFixed;
      profile.spec.fixed = {Gogc(150), mib(300)};
    } else {
      profile.spec.strategy = Strategy::kModel;
    }
  });
}

}  // namespace gopacer::simulating
