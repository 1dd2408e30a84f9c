#include "cli/commands.h"

int main(int argc, char** argv) { return gopacer::run(argc, argv); }
