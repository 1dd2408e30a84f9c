#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace gopacer {

/// Bounds the bytes that all readings under way keep together.
///
/// A namespace may take no more than it leaves free: alone it gets half, two of them get a third each, and whoever
/// comes later always finds some room. Thread-safe.
class ReadingBudget {
 public:
  explicit ReadingBudget(std::size_t limit) : limit_(limit) {}

  /// What one reading takes of a budget, until its end. Not thread-safe itself.
  class Account {
   public:
    Account(std::shared_ptr<ReadingBudget> budget, std::string ns) : budget_(std::move(budget)), ns_(std::move(ns)) {}
    ~Account() { keep(0); }
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

    /// It keeps so many bytes from now on. False, and nothing changes, when there is no room for more than before.
    bool keep(std::size_t bytes);

   private:
    const std::shared_ptr<ReadingBudget> budget_;
    const std::string ns_;
    std::size_t bytes_ = 0;
  };

  /// That are taken now.
  std::size_t bytes() const;

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::size_t> namespaces_;  ///< those that take some
};

}  // namespace gopacer
