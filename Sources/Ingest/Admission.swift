import Synchronization

/// How many bytes of bodies requests hold at a time. Where there would be too many, a request is turned away as it comes in:
/// memory stays bounded however many clients send at once, and they send again later.
final class Admission: Sendable {
    private let limit: Int
    private let held = Atomic(0)

    init(bytesMax: Int) { limit = bytesMax }

    /// Whether the bytes may be held; they then are until `leave`.
    func enter(_ bytes: Int) -> Bool {
        guard held.wrappingAdd(bytes, ordering: .relaxed).newValue > limit else { return true }
        leave(bytes)
        return false
    }

    func leave(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}
