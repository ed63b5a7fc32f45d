/// Measures scans over invented events, and writes the same events for other databases.
///
/// It promises that what it measures is what it says: whole answers, from compiling the definitions to the finished
/// sets and values, and every answer is written down so that `Benchmarks/rivals.py` can compare before it compares times.
import Evaluation
public import Foundation
import History
import JSON
import Model
import Query
import Scan

public struct HistoryBench {
    public let events: Int
    public let profiles: UInt32
    public let seed: UInt64
    public let directory: URL
    public let rounds: Int
    public let threads: Int
    /// Whether to ask the files that an earlier run with the same events left, without making them again.
    public let reusesFiles: Bool
    /// Part of the names of the questions to ask; empty for all. `retention` lets go of old events instead.
    public let question: String

    public init(
        events: Int, profiles: UInt32, seed: UInt64, directory: URL, rounds: Int, threads: Int,
        reusesFiles: Bool = false, question: String = ""
    ) {
        self.events = events
        self.profiles = profiles
        self.seed = seed
        self.directory = directory
        self.rounds = rounds
        self.threads = threads
        self.reusesFiles = reusesFiles
        self.question = question
    }

    /// Generates, writes, asks and times. Says what it does by `say`.
    public func run(say: (String) -> Void) async throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let files = directory.appending(path: "history")
        var figures = ""
        let history: History
        if reusesFiles {
            history = try History(directory: files.path)
        } else {
            let clock = ContinuousClock()
            let began = clock.now
            let data = BenchData(events: events, profiles: profiles, seed: seed)
            say("\(data.events) events of \(profiles) profiles in \(seconds(clock.now - began)) s")
            try data.write(to: directory)
            let stored = try StoredHistory(data, in: files, say: say)
            (history, figures) = (stored.history, stored.report)
        }
        if question == "retention" { return try measureRetention(history, say) }
        let queries = try await measure(history, say)
        guard question.isEmpty else { return }
        let report =
            "{\"events\":\(events),\"profiles\":\(profiles),\"seed\":\(seed)\(figures),\"queries\":[\(queries)]}"
        try Data(report.utf8).write(to: directory.appending(path: "muster.json"))
    }

    private func measure(_ history: History, _ say: (String) -> Void) async throws -> String {
        let clock = ContinuousClock()
        var report = ""
        for (number, query) in BenchQuery.all.enumerated() where question.isEmpty || query.name.contains(question) {
            var times: [Double] = []
            var answers: [ScanAnswer] = []
            var undecided = 0
            var processorTimes: [Double] = []
            for _ in 0...rounds {
                let start = clock.now
                let used = HistoryBench.processorSeconds
                answers = try await answer(query, history, &undecided)
                times.append(seconds(clock.now - start))
                processorTimes.append(HistoryBench.processorSeconds - used)
            }
            // The first is warming up.
            let processor = processorTimes.dropFirst().sorted()
            let sorted = times.dropFirst().sorted()
            let median = sorted[sorted.count / 2]
            let found = answers.map { query.isTrait ? $0.valueCount + $0.exact.count : $0.members.count }
            say(
                "\(query.name): \(milliseconds(median)) ms (\(milliseconds(sorted.first ?? 0)) to "
                    + "\(milliseconds(sorted.last ?? 0)), first \(milliseconds(times.first ?? 0))), "
                    + "\(milliseconds(processor[processor.count / 2])) ms of "
                    + "processors, \(found.reduce(0, +)) found, \(undecided) left to the evaluator"
            )
            try write(answers, of: query, number, history)
            report +=
                "\(number > 0 ? "," : ""){\"name\":\"\(query.name)\",\"seconds\":\(sorted),\"processor\":\(processor)}"
        }
        return report
    }

    /// Of all threads of this process, which other programs disturb less than the time that passes.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private func answer(_ query: BenchQuery, _ history: History, _ undecided: inout Int) async throws -> [ScanAnswer] {
        let now = Instant(milliseconds: BenchData.end)
        let queries = try query.texts.map {
            CompiledQuery(try Definition.compile($0, kind: query.isTrait ? .trait : .audience))
        }
        let plan = ScanPlan(queries.map { ($0, .everything) }, for: history, at: now)
        guard let snapshot = ScanSource(history, for: plan).snapshot() else {
            throw BenchFailure(description: history.damage ?? "a file is damaged")
        }
        var answers = try await plan.answers(over: snapshot, asked: ProfileSet(below: profiles), threads: threads)
        undecided = answers.reduce(0) { $0 + $1.undecided.count }
        for (number, query) in queries.enumerated() {
            answers[number].resolve(query, in: history, at: now) { .user(ProfileView([$0])) }
        }
        return answers
    }

    /// Members as ordinals of 32 bits, one audience after the other with their number before; of traits the ordinals
    /// and then the values as doubles, of strings the place among `BenchData.categories`.
    private func write(_ answers: [ScanAnswer], of query: BenchQuery, _ number: Int, _ history: History) throws {
        var bytes = Data()
        let places = Dictionary(uniqueKeysWithValues: BenchData.categories.enumerated().map { ($1, $0) })
        func append<Element>(_ elements: [Element]) { elements.withUnsafeBytes { bytes.append(contentsOf: $0) } }
        for answer in answers {
            if query.isTrait {
                append([UInt32(answer.valueCount + answer.exact.count)])
                var profiles: [UInt32] = []
                var values: [Double] = []
                var all = answer.exact
                answer.forEachValue(in: history.store) { all[$0] = $1 }
                for (profile, value) in all.sorted(by: { $0.key < $1.key }) {
                    profiles.append(profile.rawValue)
                    if case .number(let number) = value {
                        values.append(number.double)
                    } else {
                        values.append(Double(places[value.string ?? ""] ?? -1))
                    }
                }
                append(profiles)
                append(values)
            } else {
                append([UInt32(answer.members.count)])
                var members: [UInt32] = []
                answer.members.forEach { members.append($0.rawValue) }
                append(members)
            }
        }
        try bytes.write(to: directory.appending(path: "answer-\(number).bin"))
    }

    private func seconds(_ duration: Swift.Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    private func milliseconds(_ seconds: Double) -> String { String(format: "%.1f", seconds * 1000) }
}

extension BenchData {
    /// Writes plain columns, sorted by (event, profile, time), little-endian; the names of events are sorted as bytes so that
    /// others can keep them as numbers.
    func write(to directory: URL) throws {
        let order = Self.names.indices.sorted { Self.names[$0].utf8.lexicographicallyPrecedes(Self.names[$1].utf8) }
        func column<Element>(_ name: String, _ elements: (Int) -> [Element]) throws {
            let url = directory.appending(path: name)
            guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
                throw CocoaError(.fileWriteUnknown)
            }
            let handle = try FileHandle(forWritingTo: url)
            for table in order {
                let elements = elements(table)
                for start in stride(from: 0, to: elements.count, by: 1 << 22) {
                    try handle.write(
                        contentsOf: elements[start..<min(elements.count, start + 1 << 22)].withUnsafeBytes { Data($0) })
                }
            }
            try handle.close()
        }
        let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, UInt8($0)) })
        try column("event.u8") { table in
            Array(repeating: places[table] ?? 0, count: tables[table].profiles.count)
        }
        try column("profile.u32") { tables[$0].profiles }
        try column("ts.i64") { tables[$0].timestamps }
        try column("price.f64") { tables[$0].price }
        try column("category.u8") { tables[$0].category }
        try column("quantity.i32") { tables[$0].quantity.map { Int32($0) } }
        try column("gift.u8") { tables[$0].gift }
        try column("coupon.u32") { tables[$0].coupon }
        func write<Element>(_ name: String, _ elements: [Element]) throws {
            try elements.withUnsafeBytes { Data($0) }.write(to: directory.appending(path: name))
        }
        try write("plan_profile.u32", planOwners)
        try write("plan.u8", planValues)
    }
}
