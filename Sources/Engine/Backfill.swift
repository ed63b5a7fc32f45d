import Identity
import JSON
import Model
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
        var done = 0
        while done < limit, !job.sweep.isFinished {
            let profile = job.sweep.step()
            done += 1
            jobs[0] = job
            if let profile { evaluateForJob(job, profile) }
        }
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

    /// Evaluates a profile for every job that has not come to it yet, before something changes it.
    func catchUp(_ profile: ProfileOrdinal) {
        for index in jobs.indices where jobs[index].sweep.takeEarly(profile) {
            changedJobs.insert(jobs[index].computation)
            evaluateForJob(jobs[index], profile)
        }
    }

    /// Runs the backfill of one computation to its end, because a change of it must not fall into the middle.
    func finishJobs(of computation: RegisteredComputation) {
        while jobs.contains(where: { $0.computation == computation.number }) { continueBackfill(limit: 10_000) }
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
