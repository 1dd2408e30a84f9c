/// Threads of the HTTP library run until the process ends. Each has some state of OpenSSL, and one that is torn down in
/// the middle of a cancelled request loses that request's tasks: a few at the end, not a growing leak. The leak
/// detector asks for what to leave out by this name.
extern "C" const char*
__lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming)
  return "leak:libcrypto.so\nleak:libcpprest.so\n";
}
