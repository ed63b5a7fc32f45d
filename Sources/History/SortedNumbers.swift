/// Searching ascending numbers that are spread more or less evenly, as the ordinals of a run are.
enum SortedNumbers {
    /// The place of the first number that is not below the wanted one.
    ///
    /// Guesses where it stands, looks near there first and halves what is left: evenly spread numbers take a look or two at
    /// memory that is not in the cache, where halving alone takes a dozen; others take twice as many as halving.
    static func firstIndex(notBelow wanted: UInt32, in numbers: UnsafeBufferPointer<UInt32>) -> Int {
        guard let first = numbers.first, let last = numbers.last, wanted > first else { return 0 }
        guard wanted <= last else { return numbers.count }
        // The answer is in low..<high + 1: numbers[low - 1] < wanted <= numbers[high].
        var low = 1
        var high = numbers.count - 1
        let guess = Int(UInt64(wanted - first) * UInt64(high) / UInt64(last - first))
        var step = 8
        if numbers[guess] < wanted {
            low = guess + 1
            while low + step < high {
                if numbers[low + step] >= wanted {
                    high = low + step
                    break
                }
                low += step + 1
                step *= 4
            }
        } else {
            high = guess
            while high - step > low {
                if numbers[high - step] < wanted {
                    low = high - step + 1
                    break
                }
                high -= step
                step *= 4
            }
        }
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
