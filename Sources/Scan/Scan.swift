/// Answers definitions about everybody at once, from columns.
///
/// An optimisation of the one evaluator (design §1.3, §5): compiled plans run over runs that are sorted by (profile,
/// time), block by block of profiles, 64 rows at a time, on as many threads as asked for. It promises the answers of the
/// evaluator: where a kernel can't tell, it says so (`undecided`), and the evaluator is asked about those profiles
/// only. `Tests/ScanTests` compares both on random definitions and histories.
///
/// It reads an immutable snapshot, so the writer goes on meanwhile; nothing here knows accounts, merged profiles or
/// computed values: the caller asks the evaluator about profiles with several ordinals.
public import Evaluation
public import History
public import JSON
public import Model
import Query
import Synchronization

/// What a scan found for one definition.
public struct ScanAnswer: Sendable {
    /// Of an audience: whose condition holds.
    public internal(set) var members: ProfileSet
    /// Of whom the kernels can't tell: `resolve` asks the evaluator.
    public internal(set) var undecided: ProfileSet
    /// Of a trait, ascending by profile: values other than that of somebody without events, in the pieces in which
    /// threads found them, because putting them together would take longer than finding them.
    var parts: [(profiles: [UInt32], bits: [UInt64])]
    /// Of a trait: values that the evaluator was asked for.
    public internal(set) var exact: [ProfileOrdinal: JSONValue] = [:]

    /// Of a trait: how many have a value other than that of somebody without events (null, or 0 for counts).
    public var valueCount: Int { parts.reduce(0) { $0 + $1.profiles.count } }

    /// Hands over these profiles, ascending, with their values.
    public func forEachValue(in store: ValueStore, _ body: (ProfileOrdinal, JSONValue) -> Void) {
        for part in parts {
            for (profile, bits) in zip(part.profiles, part.bits) {
                body(ProfileOrdinal(profile), store.json(Cell(rawBits: bits)))
            }
        }
    }

    /// The same as bits of cells, ascending by profile.
    public var values: (profiles: [UInt32], bits: [UInt64]) {
        (parts.flatMap(\.profiles), parts.flatMap(\.bits))
    }

    /// Asks the evaluator about those who are undecided.
    /// - Parameter subject: Who has an ordinal.
    public mutating func resolve(
        _ query: CompiledQuery, evidence: Evidence = .everything, in history: History, at now: Instant,
        subject: (ProfileOrdinal) -> Subject
    ) {
        var found = members
        var values = exact
        undecided.forEach { profile in
            let evaluation = query.evaluate(subject(profile), evidence: evidence, in: history, at: now)
            if case .audience(_) = query.definition {
                if evaluation.isMember { found.insert(profile) }
            } else {
                values[profile] = evaluation.value
            }
        }
        (members, exact) = (found, values)
        undecided = ProfileSet(bound: 0)
    }
}

/// What a block or several say about one definition.
struct QueryAnswer: Sendable {
    /// One bit per profile; empty for traits.
    var members: [UInt64] = []
    var doubts: [UInt64] = []
    var profiles: [UInt32] = []
    var values: [UInt64] = []

    @inline(__always)
    mutating func append(_ profile: UInt32, _ bits: UInt64) {
        profiles.append(profile)
        values.append(bits)
    }
}

extension ScanPlan {
    /// How many profiles a thread takes at a time.
    private static let chunk = BlockScan.size * 8

    /// Answers all definitions of the plan for the profiles of a set.
    ///
    /// - Parameters:
    ///   - asked: Who exists. Leave out profiles with several ordinals, and ask the evaluator about them.
    ///   - progress: Called with profiles done and profiles in all, from any thread.
    /// - Throws: `CancellationError` soon after the task was cancelled.
    public func answers(
        over snapshot: ScanSnapshot, asked everybody: ProfileSet, threads: Int = 2,
        progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) async throws -> [ScanAnswer] {
        let (asked, removed) = snapshot.split(everybody)
        let chunks = (asked.words.count * 64 + ScanPlan.chunk - 1) / ScanPlan.chunk
        let counters = Counters()
        let parts = try await withThrowingTaskGroup(of: [(Int, [QueryAnswer])].self) { group in
            for _ in 0..<max(1, min(threads, chunks)) {
                group.addTask {
                    let scan = BlockScan(self, snapshot)
                    var parts: [(Int, [QueryAnswer])] = []
                    while case let chunk = counters.next.wrappingAdd(1, ordering: .relaxed).oldValue, chunk < chunks {
                        try Task.checkCancellation()
                        parts.append((chunk, scan.run(chunk: chunk, of: ScanPlan.chunk, asked)))
                        let done = counters.done.wrappingAdd(1, ordering: .relaxed).newValue
                        progress?(done * ScanPlan.chunk, chunks * ScanPlan.chunk)
                    }
                    return parts
                }
            }
            var parts: [(Int, [QueryAnswer])] = []
            for try await part in group { parts += part }
            return parts
        }
        return merge(parts.sorted { $0.0 < $1.0 }.map(\.1), undecided: removed)
    }

    /// The same on the caller's thread.
    public func answers(over snapshot: ScanSnapshot, asked everybody: ProfileSet) -> [ScanAnswer] {
        let (asked, removed) = snapshot.split(everybody)
        let scan = BlockScan(self, snapshot)
        let chunks = (asked.words.count * 64 + ScanPlan.chunk - 1) / ScanPlan.chunk
        return merge((0..<chunks).map { scan.run(chunk: $0, of: ScanPlan.chunk, asked) }, undecided: removed)
    }

    private func merge(_ parts: [[QueryAnswer]], undecided: [ProfileOrdinal]) -> [ScanAnswer] {
        queries.indices.map { number in
            var whole = QueryAnswer()
            whole.members.reserveCapacity(parts.reduce(0) { $0 + $1[number].members.count })
            whole.doubts.reserveCapacity(parts.reduce(0) { $0 + $1[number].doubts.count })
            for part in parts {
                whole.members += part[number].members
                whole.doubts += part[number].doubts
            }
            var doubts = ProfileSet(words: whole.doubts)
            for profile in undecided { doubts.insert(profile) }
            return ScanAnswer(
                members: ProfileSet(words: whole.members), undecided: doubts,
                parts: parts.map { ($0[number].profiles, $0[number].values) })
        }
    }
}

/// What threads share.
private final class Counters: Sendable {
    let next = Atomic(0)
    let done = Atomic(0)
}

extension BlockScan {
    fileprivate func run(chunk: Int, of size: Int, _ asked: ProfileSet) -> [QueryAnswer] {
        var answers = Array(repeating: QueryAnswer(), count: plan.queries.count)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: BlockScan.words)
        defer { words.deallocate() }
        for block in stride(from: chunk * size, to: (chunk + 1) * size, by: BlockScan.size) {
            let first = block / 64
            guard first < asked.words.count else { break }
            for word in 0..<BlockScan.words {
                words[word] = first + word < asked.words.count ? asked.words[first + word] : 0
            }
            run(from: UInt32(block), asked: words, into: &answers)
        }
        return answers
    }
}
