// Written by generate.sh: do not edit.
#include "ConsoleAssets.h"

// #embed is C23; this compiler takes it in C17 too. It takes 0.1 s where an array literal in Swift takes 20.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char file_0[] = {
#embed "web/api.js"
};

static const unsigned char file_1[] = {
#embed "web/builder-inputs.js"
};

static const unsigned char file_2[] = {
#embed "web/builder-model.js"
};

static const unsigned char file_3[] = {
#embed "web/builder.js"
};

static const unsigned char file_4[] = {
#embed "web/call-feed.js"
};

static const unsigned char file_5[] = {
#embed "web/charts.js"
};

static const unsigned char file_6[] = {
#embed "web/computation-parts.js"
};

static const unsigned char file_7[] = {
#embed "web/console.css"
};

static const unsigned char file_8[] = {
#embed "web/definition-editor.js"
};

static const unsigned char file_9[] = {
#embed "web/destination-economy.js"
};

static const unsigned char file_10[] = {
#embed "web/destination-form.js"
};

static const unsigned char file_11[] = {
#embed "web/dom.js"
};

static const unsigned char file_12[] = {
#embed "web/event-tester.js"
};

static const unsigned char file_13[] = {
#embed "web/favicon.svg"
};

static const unsigned char file_14[] = {
#embed "web/format.js"
};

static const unsigned char file_15[] = {
#embed "web/icons.js"
};

static const unsigned char file_16[] = {
#embed "web/index.html"
};

static const unsigned char file_17[] = {
#embed "web/instant-picker.js"
};

static const unsigned char file_18[] = {
#embed "web/main.js"
};

static const unsigned char file_19[] = {
#embed "web/overlap-picture.js"
};

static const unsigned char file_20[] = {
#embed "web/pages/computation.js"
};

static const unsigned char file_21[] = {
#embed "web/pages/computations.js"
};

static const unsigned char file_22[] = {
#embed "web/pages/debugger.js"
};

static const unsigned char file_23[] = {
#embed "web/pages/destination.js"
};

static const unsigned char file_24[] = {
#embed "web/pages/destinations.js"
};

static const unsigned char file_25[] = {
#embed "web/pages/new-computation.js"
};

static const unsigned char file_26[] = {
#embed "web/pages/overview.js"
};

static const unsigned char file_27[] = {
#embed "web/pages/profile.js"
};

static const unsigned char file_28[] = {
#embed "web/pages/profiles.js"
};

static const unsigned char file_29[] = {
#embed "web/pages/settings.js"
};

static const unsigned char file_30[] = {
#embed "web/pages/source.js"
};

static const unsigned char file_31[] = {
#embed "web/pages/sources.js"
};

static const unsigned char file_32[] = {
#embed "web/pages/why.js"
};

static const unsigned char file_33[] = {
#embed "web/preview-pane.js"
};

static const unsigned char file_34[] = {
#embed "web/schema.js"
};

static const unsigned char file_35[] = {
#embed "web/source-connections.js"
};

static const unsigned char file_36[] = {
#embed "web/widgets.js"
};

static const struct console_asset all[] = {
    {"api.js", file_0, sizeof file_0},
    {"builder-inputs.js", file_1, sizeof file_1},
    {"builder-model.js", file_2, sizeof file_2},
    {"builder.js", file_3, sizeof file_3},
    {"call-feed.js", file_4, sizeof file_4},
    {"charts.js", file_5, sizeof file_5},
    {"computation-parts.js", file_6, sizeof file_6},
    {"console.css", file_7, sizeof file_7},
    {"definition-editor.js", file_8, sizeof file_8},
    {"destination-economy.js", file_9, sizeof file_9},
    {"destination-form.js", file_10, sizeof file_10},
    {"dom.js", file_11, sizeof file_11},
    {"event-tester.js", file_12, sizeof file_12},
    {"favicon.svg", file_13, sizeof file_13},
    {"format.js", file_14, sizeof file_14},
    {"icons.js", file_15, sizeof file_15},
    {"index.html", file_16, sizeof file_16},
    {"instant-picker.js", file_17, sizeof file_17},
    {"main.js", file_18, sizeof file_18},
    {"overlap-picture.js", file_19, sizeof file_19},
    {"pages/computation.js", file_20, sizeof file_20},
    {"pages/computations.js", file_21, sizeof file_21},
    {"pages/debugger.js", file_22, sizeof file_22},
    {"pages/destination.js", file_23, sizeof file_23},
    {"pages/destinations.js", file_24, sizeof file_24},
    {"pages/new-computation.js", file_25, sizeof file_25},
    {"pages/overview.js", file_26, sizeof file_26},
    {"pages/profile.js", file_27, sizeof file_27},
    {"pages/profiles.js", file_28, sizeof file_28},
    {"pages/settings.js", file_29, sizeof file_29},
    {"pages/source.js", file_30, sizeof file_30},
    {"pages/sources.js", file_31, sizeof file_31},
    {"pages/why.js", file_32, sizeof file_32},
    {"preview-pane.js", file_33, sizeof file_33},
    {"schema.js", file_34, sizeof file_34},
    {"source-connections.js", file_35, sizeof file_35},
    {"widgets.js", file_36, sizeof file_36},
};

const struct console_asset *console_assets(void) { return all; }
size_t console_asset_count(void) { return sizeof all / sizeof all[0]; }
