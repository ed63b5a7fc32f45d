// swift-tools-version: 6.2
import PackageDescription

// Muster: an audience engine. The targets below stand in the order in which an event meets them; imports point
// upwards only (docs/architecture.md). `muster` is the one product.

let swiftSettings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        // Debug builds, and so all tests, check every access of a class's properties; in a release that takes a tenth of
        // the engine's time.
        .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
    ] + (Context.environment["MUSTER_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)])

// Modules that packages provide, under the names used below.
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

func module(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

/// Scans count bits and compare columns: with the instructions of processors since 2013 (x86-64-v3) in half the time.
/// `muster` says so where they are missing.
#if arch(x86_64)
    let processorSettings: [SwiftSetting] = [
        .unsafeFlags(["-Xcc", "-march=x86-64-v3"], .when(configuration: .release))
    ]
#else
    let processorSettings: [SwiftSetting] = []
#endif

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], data: [String] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.target(name: name), "TestSupport"] + dependencies, exclude: data,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "muster",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "muster", targets: ["muster"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries from Debian.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // Words everything shares.
        module("JSON"),
        module("Model", ["JSON"]),
        module("Query", ["Model", "JSON"]),

        // The way of an event.
        module("EventLog", ["JSON", "Model", "CZstd", grdb, deque]),
        module(
            "Ingest",
            ["JSON", "Model", "EventLog", "CZlib", hummingbird, hummingbirdCore, httpTypes, logging, nioCore]),
        module("Identity", ["JSON", "Model"]),
        module("History", ["JSON", "Model"]),
        module("Evaluation", ["JSON", "Model", "Query", "History"]),
        .target(
            name: "Scan", dependencies: ["JSON", "Model", "Query", "History", "Evaluation"],
            swiftSettings: swiftSettings + processorSettings),
        module("Store", ["JSON", "Model", grdb, grdbSQLite, logging]),
        module(
            "Engine",
            [
                "JSON", "Model", "Query", "EventLog", "Identity", "History", "Evaluation", "Scan", "Store", crypto,
                heap,
                logging,
            ]),
        module(
            "Delivery",
            ["JSON", "Model", "Store", asyncHTTPClient, nioCore, nioHTTP1, nioPosix, logging, deque, serviceLifecycle]),
        module("BrazeDestination", ["JSON", "Model", "Delivery", crypto]),
        module("WebhookDestination", ["JSON", "Model", "Delivery", crypto]),

        // What people and programs see.
        module(
            "API",
            [
                "JSON", "Model", "Query", "History", "Evaluation", "Engine", "Store", "Delivery", "Ingest", "EventLog",
                hummingbird, httpTypes, logging, nioCore, crypto,
            ]),
        // The console's pages as files, compiled in with #embed: resources in code take 20 s per build.
        .target(name: "ConsoleAssets", exclude: ["web", "generate.sh"]),
        module("Console", ["ConsoleAssets", hummingbird, httpTypes, nioCore]),

        // Braze, seen from outside: depends on nothing of the engine.
        module(
            "BrazeSandbox", ["JSON", hummingbird, httpTypes, logging, nioCore], resources: [.embedInCode("Assets")]),

        // Scans measured against other databases (Benchmarks/rivals.py).
        module("HistoryBench", ["JSON", "Model", "Query", "History", "Evaluation", "Scan"]),

        // The engine measured: what an event costs, how punctual wake-ups are.
        module(
            "EngineBench",
            ["JSON", "Model", "Query", "History", "Evaluation", "EventLog", "Store", "Engine", logging]),

        // An invented shop, for `muster demo`, tests and measurements.
        module("DemoShop", ["JSON", "Model"]),

        .executableTarget(
            name: "muster",
            dependencies: [
                "JSON", "Model", "EventLog", "Ingest", "Store", "Engine", "Delivery", "BrazeDestination",
                "WebhookDestination", "API", "Console", "BrazeSandbox", "DemoShop", "History", "HistoryBench",
                "EngineBench", "Query", "Scan",
                argumentParser, asyncHTTPClient, hummingbird, httpTypes, logging, serviceLifecycle, unixSignals,
                nioCore, nioHTTP1,
                nioPosix,
            ],
            swiftSettings: swiftSettings),

        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
        .target(
            name: "EvaluationSupport", dependencies: ["JSON", "Model", "Query", "Evaluation", "TestSupport"],
            path: "Tests/EvaluationSupport", swiftSettings: swiftSettings),
        tests("JSON"),
        tests("Model", ["JSON"]),
        tests("Query", ["Model", "JSON"]),
        tests("EventLog", ["Model", "JSON", grdb]),
        tests(
            "Ingest",
            [
                "JSON", "Model", "EventLog", "CZlib", hummingbird, hummingbirdCore, hummingbirdTesting, httpTypes,
                logging,
                nioCore,
            ]),
        tests("Identity", ["JSON", "Model"]),
        tests("History", ["JSON", "Model"]),
        tests("Evaluation", ["JSON", "Model", "Query", "History", "EvaluationSupport"]),
        tests("Scan", ["JSON", "Model", "Query", "History", "Evaluation", "EvaluationSupport"]),
        tests("Store", ["JSON", "Model", grdb]),
        tests(
            "Engine",
            [
                "JSON", "Model", "Query", "EventLog", "History", "Store", "Identity", "Evaluation", "EvaluationSupport",
                logging,
            ]),
        tests("Delivery", ["JSON", "Model", "Store", hummingbird, httpTypes, nioCore, asyncHTTPClient, logging]),
        tests(
            "BrazeDestination",
            [
                "JSON", "Model", "Delivery", "Store", "BrazeSandbox", hummingbird, httpTypes, nioCore, asyncHTTPClient,
                logging, serviceLifecycle,
            ], data: ["Corpus.json"]),
        tests(
            "WebhookDestination",
            [
                "JSON", "Model", "Delivery", "Store", hummingbird, httpTypes, nioCore, asyncHTTPClient, logging,
                serviceLifecycle,
            ]),
        tests("BrazeSandbox", ["JSON", hummingbird, hummingbirdTesting, httpTypes, nioCore]),
        tests("DemoShop", ["JSON", "Model"]),
        tests(
            "API",
            [
                "JSON", "Model", "Engine", "Store", "EventLog", "Ingest", "Delivery", "BrazeDestination",
                "BrazeSandbox",
                "WebhookDestination", "Console", asyncHTTPClient, hummingbird, hummingbirdTesting, httpTypes, logging,
                nioCore,
            ]),
    ],
    swiftLanguageModes: [.v6]
)
