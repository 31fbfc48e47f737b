// A list of numbers whose room is allocated once, before threads run, because they must not throw. std::vector would do,
// but its functions for plain types are not in the namespace of an instruction set, so other objects could share them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

namespace recurra::RECURRA_ISA_NAMESPACE {

template <class T>
class Room {
 public:
  Room() = default;
  Room(Room&& other) noexcept { *this = std::move(other); }
  Room& operator=(Room&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Room() {
    if (data_) ::operator delete(data_, kAlignment);
  }

  // The list is empty afterwards. It begins at a cache line that no other memory shares. Throws std::bad_alloc.
  void allocate(std::size_t room) {
    if (data_) ::operator delete(data_, kAlignment);
    data_ = nullptr, size_ = 0;
    const std::size_t line = static_cast<std::size_t>(kAlignment);
    data_ = static_cast<T*>(::operator new((room * sizeof(T) + line) / line * line, kAlignment));
  }

  // None of these looks whether there is room.
  void push_back(T value) { data_[size_++] = value; }
  void clear() { size_ = 0; }
  void resize(std::size_t size) { size_ = size; }  // new elements have no values
  void assign(std::size_t size, T value) { std::fill_n(data_, size_ = size, value); }
  void assign(const Room& other) { std::copy_n(other.data_, size_ = other.size_, data_); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t at) { return data_[at]; }
  const T& operator[](std::size_t at) const { return data_[at]; }
  T& back() { return data_[size_ - 1]; }

 private:
  static constexpr std::align_val_t kAlignment{128};
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace recurra::RECURRA_ISA_NAMESPACE
