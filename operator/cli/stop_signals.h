#pragma once

#include <signal.h>

namespace gopacer {

/// SIGTERM and SIGINT as something to wait for. Made before any other thread, so that all of them leave the signals
/// alone.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    // A peer that hangs up is an error of that write, not the end of the process.
    signal(SIGPIPE, SIG_IGN);
  }

  int wait() const {
    int number = 0;
    sigwait(&set_, &number);
    return number;
  }

 private:
  sigset_t set_{};
};

}  // namespace gopacer
