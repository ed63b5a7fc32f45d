import Evaluation
import History
import Identity
import JSON
import Model
import Query
import Scan
import Store

/// The evaluation of a new or changed computation over everybody who existed when it was accepted.
///
/// It runs in chunks between live batches, and yet its outcome does not depend on how the chunks fall: every profile is
/// evaluated as of `asOf`, and one that is touched by a call or a wake-up before its chunk came is evaluated first
/// (docs/architecture.md). Profiles that come later are evaluated live.
struct BackfillJob: Equatable {
    let computation: ComputationNumber
    /// When the change was accepted; the instant at which every profile is evaluated.
    let asOf: Instant
    var sweep: ProfileSweep
}

/// How far a backfill has come, for people.
public struct BackfillProgress: Sendable, Hashable {
    public let computationID: String
    /// Profiles done and profiles to do in all.
    public let done: Int
    public let total: Int
}

/// Whom a backfill must evaluate, found out once per job.
enum BackfillScope {
    case everybody
    case only(ProfileSet)
}

extension Engine {
    /// Starts a backfill of everybody who exists now.
    func startJob(for computation: RegisteredComputation, asOf: Instant) {
        let job = BackfillJob(
            computation: computation.number, asOf: asOf,
            sweep: ProfileSweep(end: identity.counters.nextOrdinal))
        jobs.append(job)
        changedJobs.insert(job.computation)
        if job.sweep.isFinished { finishFirstJobIfDone() }
    }

    /// Does at most `limit` profiles of the first job. Jobs run one after the other: a later one may read the values
    /// of an earlier one.
    public func continueBackfill(limit: Int) {
        guard var job = jobs.first else { return }
        prepareScope(of: job)
        var done = 0
        var passed = 0
        while done < limit, passed < limit * Engine.passedPerEvaluation, !job.sweep.isFinished {
            let profile = job.sweep.step()
            if let profile, !isOutOfScope(profile, of: registry[job.computation]) {
                done += 1
                jobs[0] = job
                evaluateForJob(job, profile)
            } else {
                passed += 1
            }
        }
        jobs[0] = job
        changedJobs.insert(job.computation)
        // What the backfill armed in the past fires at once, at its own instants.
        fireWakeUps(by: now)
        finishFirstJobIfDone()
    }

    public var hasBackfill: Bool { !jobs.isEmpty }

    public var backfillProgress: [BackfillProgress] {
        jobs.map {
            BackfillProgress(
                computationID: registry[$0.computation].definition.id, done: Int($0.sweep.next),
                total: Int($0.sweep.end))
        }
    }

    /// Evaluates profiles that something is about to change for every job that has not come to them yet, and fires what
    /// that armed in the past. Then they are as if each job had been done at once when it was accepted.
    func catchUp(_ profiles: [ProfileOrdinal]) {
        guard !jobs.isEmpty else { return }
        for profile in profiles { evaluateEarly(profile, jobs: jobs.indices) }
        fireWakeUps(by: now)
    }

    /// The same before something happens to a profile at an instant, for jobs that were accepted before that.
    func catchUp(_ profile: ProfileOrdinal, before instant: Instant) {
        evaluateEarly(profile, jobs: jobs.indices.prefix { jobs[$0].asOf < instant })
    }

    /// A person's accounts are evaluated with them, because whatever changes a person may change these.
    private func evaluateEarly(_ profile: ProfileOrdinal, jobs indices: Range<Int>) {
        let accounts = level(of: profile) == .users ? identity.accounts(of: profile) : []
        for index in indices {
            for holder in [profile] + accounts where jobs[index].sweep.takeEarly(holder) {
                let job = jobs[index]
                changedJobs.insert(job.computation)
                if level(of: holder) == .accounts {
                    // An account may read what earlier jobs say of its people.
                    for user in identity.users(of: holder) { evaluateEarly(user, jobs: indices.lowerBound..<index) }
                }
                // What earlier jobs armed before this one was accepted comes first.
                fireWakeUps(by: job.asOf)
                evaluateForJob(job, holder)
            }
        }
    }

    /// Runs the backfill of one computation to its end, because a change of it must not fall into the middle.
    func finishJobs(of computation: RegisteredComputation) {
        while jobs.contains(where: { $0.computation == computation.number }) { continueBackfill(limit: 10_000) }
    }

    /// How many profiles that need no evaluation cost about as much as one that does.
    private static let passedPerEvaluation = 100

    /// Finds out, once per job, who can have a value at all: nobody without a row of what the query reads, if it says
    /// nothing of such people and time doesn't change that. Of all others the evaluator would say the same as of nobody.
    ///
    /// Rows that come later make no difference: whoever gets one is evaluated before that.
    private func prepareScope(of job: BackfillJob) {
        let computation = registry[job.computation]
        guard backfillScopes[job.computation] == nil else { return }
        backfillScopes[job.computation] = .everybody
        guard saysNothingOfNewcomers(computation, at: job.asOf) else { return }
        let keys = computation.dependencies.traitKeys
        let events = computation.dependencies.events.keys.sorted().map { history.eventID($0) }
        let traits = keys.sorted().map { history.traitID($0) }
        let tables = events.map { history.snapshot(of: $0) } + traits.map { history.snapshot(of: $0) }
        var scope = ProfileSet(bound: ordinalLimit)
        for table in tables {
            let isSound = table.forEachProfile { profile in
                if identity.exists(profile) { scope.insert(identity.canonical(profile)) }
            }
            guard isSound else { return }
        }
        backfillScopes[job.computation] = .only(scope)
    }

    /// Whether a computation says nothing of a person without a row of what the query reads, and never will while none
    /// comes.
    private func saysNothingOfNewcomers(_ computation: RegisteredComputation, at instant: Instant) -> Bool {
        guard computation.facts.level == .users,
            computation.dependencies.traitKeys.allSatisfy({ registry.computation(key: $0) == nil })
        else { return false }
        let nobody = computation.compiled.evaluate(
            .user(ProfileView([])), evidence: computation.facts.evidence, in: history, at: instant)
        return isNothing(nobody.value, of: computation) && nobody.changesAt == nil
    }

    /// Computations that a person who has just come must be asked about, whatever the call says that brought them. Of
    /// all others only those that the call's rows touch can come to anything.
    ///
    /// The first person is asked like everybody after: what is said of nobody and does not change with time is the same
    /// at any later instant.
    func askedOfNewcomers() -> [RegisteredComputation] {
        if let known = registry.askedOfNewcomers { return known }
        let asked = registry.active.filter { !saysNothingOfNewcomers($0, at: now) }
        registry.askedOfNewcomers = asked
        return asked
    }

    /// Whether the evaluation of a profile would come to nothing and leave nothing behind.
    private func isOutOfScope(_ profile: ProfileOrdinal, of computation: RegisteredComputation) -> Bool {
        guard case .only(let scope)? = backfillScopes[computation.number] else { return false }
        return !scope.contains(profile) && computation.states[profile] == nil
    }

    private func evaluateForJob(_ job: BackfillJob, _ profile: ProfileOrdinal) {
        let computation = registry[job.computation]
        guard computation.isActive, identity.exists(profile), identity.isCanonical(profile),
            level(of: profile) == computation.definition.level
        else { return }
        var work = Worklist()
        work.add(computation, profile)
        run(&work, at: job.asOf, cause: .backfill)
    }

    private func finishFirstJobIfDone() {
        while let job = jobs.first, job.sweep.isFinished {
            changes.backfills.append(row(of: job))
            changes.meta[earlyKey(registry[job.computation].definition.id)] = .null
            changedJobs.remove(job.computation)
            backfillScopes[job.computation] = nil
            jobs.removeFirst()
        }
    }

    func row(of job: BackfillJob) -> BackfillRow {
        let id = registry[job.computation].definition.id
        if !job.sweep.early.isEmpty {
            changes.meta[earlyKey(id)] = .array(job.sweep.early.sorted().map { .number(Int($0)) })
        }
        return BackfillRow(
            computationID: id, asOf: job.asOf, nextOrdinal: job.sweep.next, endOrdinal: job.sweep.end,
            isFinished: job.sweep.isFinished)
    }

    func earlyKey(_ computationID: String) -> String { "backfillEarly.\(computationID)" }
}
