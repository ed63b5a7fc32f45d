// The console's files, compiled into the program (web/ in this directory; `#embed` in assets.c).
#ifndef CONSOLE_ASSETS_H
#define CONSOLE_ASSETS_H

#include <stddef.h>

struct console_asset {
  const char *name;
  const unsigned char *bytes;
  size_t size;
};

/// All files, in no particular order; they live as long as the program.
const struct console_asset *console_assets(void);
size_t console_asset_count(void);

#endif
