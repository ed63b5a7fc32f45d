import Model
import Synchronization

/// What comes in for a runner while it works or sleeps. Bounded: answers by the requests in flight, the rest are flags.
final class Mailbox: Sendable {
    struct Letters: Sendable {
        var answers: [Answer] = []
        var probeReply: Reply?
        /// The outbox holds something new.
        var outboxGrew = false
        /// Something old waits again in the outbox.
        var mustRescan = false
        /// The ledger has forgotten something that this runner did not tell it to forget.
        var hasForgotten = false
        var mustResume = false
        /// What is held for a spike, or when something counts as one, has changed.
        var spikesChanged = false
        var spikeGuard: SpikeGuard?
        /// What other addresses of the destination say about settings that it refused.
        var diagnosis: (of: String, reason: String)?
        var mustStop = false
        var deletedProfiles: Set<ProfileOrdinal> = []
        /// The last transaction that came to its end.
        var written: Int?
        /// Woken without a letter.
        var isWoken = false

        var isEmpty: Bool {
            answers.isEmpty && probeReply == nil && deletedProfiles.isEmpty && spikeGuard == nil && diagnosis == nil
                && !(outboxGrew || mustRescan || hasForgotten || mustResume || mustStop || isWoken || written != nil
                    || spikesChanged)
        }
    }

    struct Answer: Sendable {
        var requestID: Int
        var reply: Reply
        var duration: Duration
    }

    private struct State {
        var letters = Letters()
        /// A stop was asked for, be the letter read or not.
        var isStopping = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func post(_ write: (inout Letters) -> Void) {
        let reader = state.withLock { state in
            write(&state.letters)
            if state.letters.mustStop { state.isStopping = true }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    /// Whether a stop was ever asked for.
    var isStopRequested: Bool { state.withLock { $0.isStopping } }

    /// The letters that are there, or the next ones; empty after the span, and at once when the task is cancelled,
    /// unless that is `ignoringCancellation`. One reader at a time.
    func next(within span: Instant.Span?, ignoringCancellation: Bool = false) async -> Letters {
        // Under load there mostly are some: then no timer is made.
        let present = take()
        guard present.isEmpty else { return present }
        let timer = span.map { span in
            Task {
                do { try await Task.sleep(for: .milliseconds(span.milliseconds)) } catch { return }
                post { $0.isWoken = true }
            }
        }
        defer { timer?.cancel() }
        if ignoringCancellation {
            await wait()
        } else {
            await withTaskCancellationHandler {
                await wait()
            } onCancel: {
                post { $0.isWoken = true }
            }
        }
        return take()
    }

    private func take() -> Letters {
        state.withLock { state in
            defer { state.letters = Letters() }
            return state.letters
        }
    }

    private func wait() async {
        await withCheckedContinuation { continuation in
            let hasLetters = state.withLock { state in
                precondition(state.reader == nil, "a mailbox has one reader")
                guard state.letters.isEmpty else { return true }
                state.reader = continuation
                return false
            }
            if hasLetters { continuation.resume() }
        }
    }
}
