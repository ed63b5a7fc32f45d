import JSON
import Model

/// What one computation has come to for everybody, in 24 bytes a profile: truth values and numbers stand in their entry, other
/// values beside. Fifty computations of a hundred thousand people are five million of these.
final class StateTable {
    private enum Form: UInt8, BitwiseCopyable {
        case null, no, yes, number, other
    }

    private struct Packed: BitwiseCopyable {
        var since: Int64 = 0
        /// The number's bits, or a place in `others`.
        var bits: UInt64 = 0
        var transition: UInt32 = 0
        var form = Form.null
    }

    private let packed = SparseTable<Packed>()
    private var others: [JSONValue] = []
    /// Places in `others` that are not used.
    private var free: [Int] = []

    var count: Int { packed.count }

    subscript(profile: ProfileOrdinal) -> ComputedState? {
        get { packed[profile.rawValue].map { unpacked($0) } }
        set {
            let standing = packed.pointer(to: profile.rawValue)
            if let old = standing?.pointee, old.form == .other {
                others[Int(old.bits)] = .null
                free.append(Int(old.bits))
            }
            if let standing, let newValue {
                standing.pointee = pack(newValue)
            } else {
                packed[profile.rawValue] = newValue.map { pack($0) }
            }
        }
    }

    func forEach(_ body: (ProfileOrdinal, ComputedState) -> Void) {
        packed.forEach { body(ProfileOrdinal($0), unpacked($1)) }
    }

    /// Profiles that hold a value that says something.
    func forEachTelling(_ body: (ProfileOrdinal) -> Void) {
        packed.forEach { if $1.form != .null, $1.form != .no { body(ProfileOrdinal($0)) } }
    }

    private func pack(_ state: ComputedState) -> Packed {
        var packed = Packed(since: state.since.milliseconds, transition: UInt32(clamping: state.transition))
        switch state.value {
        case .null: packed.form = .null
        case .bool(let bool): packed.form = bool ? .yes : .no
        case .number(let number) where number.exactText == nil:
            packed.form = .number
            packed.bits = number.double.bitPattern
        default:
            packed.form = .other
            if let place = free.popLast() {
                others[place] = state.value
                packed.bits = UInt64(place)
            } else {
                packed.bits = UInt64(others.count)
                others.append(state.value)
            }
        }
        return packed
    }

    private func unpacked(_ packed: Packed) -> ComputedState {
        let value: JSONValue =
            switch packed.form {
            case .null: .null
            case .no: false
            case .yes: true
            case .number: .number(Double(bitPattern: packed.bits))
            case .other: others[Int(packed.bits)]
            }
        return ComputedState(
            value: value, since: Instant(milliseconds: packed.since), transition: Int(packed.transition))
    }
}
